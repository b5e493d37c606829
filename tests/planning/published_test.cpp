// The tables of published models, held against sums done here.
#include <map>

#include "answers.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/scaling.hpp"

namespace orrery::planning::published_test {
namespace {

// Encoder of BERT: embeddings of words, positions and types with a norm; layers of four square matrices, two of
// d × 4d, their biases and two norms; the pooler.
double bert(double words, double positions, double types, double d, double layers) {
  const double layer = 4 * (d * d + d) + (4 * d * d + 4 * d) + (4 * d * d + d) + 2 * 2 * d;
  return (words + positions + types) * d + 2 * d + layers * layer + d * d + d;
}

// T5: one table of 32 128 words; without biases; the decoder has a second attention; norms of d; a table of 32 relative
// positions a head in each half; a norm at the end of each.
double t5(double d, double ffn, double layers, double heads, double per_head) {
  const double attention = 4 * d * heads * per_head, mlp = 2 * d * ffn;
  return 32'128 * d + layers * (attention + mlp + 2 * d) + layers * (2 * attention + mlp + 3 * d) + 2 * 32 * heads +
         2 * d;
}

TEST_CASE("exact parameter counts of the encoders and encoder-decoders are those of their architectures") {
  const std::map<std::string, double> expected{
      {"BERT-Base", bert(30'522, 512, 2, 768, 12)},    {"BERT-Large", bert(30'522, 512, 2, 1024, 24)},
      {"RoBERTa-Base", bert(50'265, 514, 1, 768, 12)}, {"RoBERTa-Large", bert(50'265, 514, 1, 1024, 24)},
      {"T5-Small", t5(512, 2048, 6, 8, 64)},           {"T5-Base", t5(768, 3072, 12, 12, 64)},
      {"T5-Large", t5(1024, 4096, 24, 16, 64)},        {"T5-3B", t5(1024, 16'384, 24, 32, 128)},
      {"T5-11B", t5(1024, 65'536, 24, 128, 128)}};
  std::size_t found = 0;
  for (const PublishedRun& r : value_of(load_published()).compute) {
    CAPTURE(r.name);
    const auto at = expected.find(r.name);
    CHECK((at == expected.end()) == !r.preset.empty());  // the others are counted from their presets
    if (at == expected.end()) continue;
    ++found;
    CHECK(r.exact_parameters == at->second);
  }
  CHECK(found == expected.size());
  CHECK(expected.at("BERT-Large") == 335'141'888);  // as its authors' code counts
}

TEST_CASE("the table of training compute has the paper's counts and exact ones beside them") {
  const Answer a = value_of(planning_table("compute"));
  const AnswerTable& t = table(a, "runs");
  CHECK(t.rows.size() == 17);
  // 6 · 355e6 · 250e9 = 5.325e20, over 8.64e19: 6.163; exact 6 · 335 141 888 · 250e9: 5.819.
  CHECK(number(cell_of(t, "BERT-Large", "petaflop_days").value) == doctest::Approx(6.163).epsilon(1e-3));
  CHECK(number(cell_of(t, "BERT-Large", "exact_petaflop_days").value) == doctest::Approx(5.819).epsilon(1e-3));
  // 3 · 3e9 · 1e12 = 9e21: 104.2.
  CHECK(number(cell_of(t, "T5-3B", "petaflop_days").value) == doctest::Approx(104.17).epsilon(1e-3));
  CHECK(number(cell_of(t, "T5-3B", "flops_per").value) == 3);
  for (const auto& row : t.rows) {
    CAPTURE(row[0].text);
    CHECK(number(row[5].value) == doctest::Approx(number(row[6].value)).epsilon(0.01));
    CHECK(number(row[7].value) == doctest::Approx(number(row[5].value)).epsilon(0.08));
  }
}

TEST_CASE("published models beside 20 tokens a parameter: trained too little, as is optimal, or longer") {
  const AnswerTable t = table(value_of(planning_table("optimal")), "models");
  struct Expected {
    const char *name, *parameters, *optimal, *actual, *trained;
  };
  // As the course notes' table, and the three that were added to it.
  for (const Expected& e : {Expected{"Chinchilla", "70 B", "1.4 T", "1.4 T", "as is optimal"},
                            {"LLaMA-65B", "65 B", "1.3 T", "1.4 T", "as is optimal"},
                            {"GPT-3", "175 B", "3.5 T", "300 B", "too little"},
                            {"OPT-175B", "175 B", "3.5 T", "180 B", "too little"},
                            {"BLOOM", "176 B", "3.52 T", "350 B", "too little"},
                            {"Gopher", "280 B", "5.6 T", "300 B", "too little"},
                            {"BloombergGPT", "50 B", "1 T", "569 B", "too little"},
                            {"Llama-3.1-405B", "405 B", "8.1 T", "15 T", "longer"}}) {
    CAPTURE(e.name);
    CHECK(cell_of(t, e.name, "parameters").text == e.parameters);
    CHECK(cell_of(t, e.name, "optimal_tokens").text == e.optimal);
    CHECK(cell_of(t, e.name, "tokens").text == e.actual);
    CHECK(cell_of(t, e.name, "trained").text == e.trained);
  }
  // 65 B on 1.4 T is predicted beside 175 B on 0.3 T, within 0.07 and below; Chinchilla below Gopher.
  const auto loss = [&](const char* name) { return number(cell_of(t, name, "loss").value); };
  CHECK(loss("LLaMA-65B") < loss("GPT-3"));
  CHECK(loss("GPT-3") - loss("LLaMA-65B") < 0.07);
  CHECK(loss("Chinchilla") < loss("Gopher"));
}

TEST_CASE("larger models reach a loss with fewer tokens, and 8 times the model takes 4.66 times the data") {
  const Answer a = value_of(planning_table("sample_efficiency"));
  CHECK(number(a, "data_for_8_times_the_model") == doctest::Approx(4.6589).epsilon(1e-4));
  for (const auto& row : table(a, "losses").rows)
    for (std::size_t c = 2; c < row.size(); ++c) {
      const auto* before = std::get_if<double>(&row[c - 1].value);
      const auto* tokens = std::get_if<double>(&row[c].value);
      CHECK_FALSE((before != nullptr && tokens == nullptr));
      if (before != nullptr && tokens != nullptr) CHECK(*tokens < *before);
    }
}

TEST_CASE("a petaFLOP/s-day is 8 V100 or, as the notes say, 2 A100, and what real peaks make of it") {
  const AnswerTable t = table(value_of(planning_table("petaflop_day")), "gpus_of_a_petaflop_day");
  const auto gpus = [&](const char* name) { return number(cell_of(t, name, "gpus").value); };
  CHECK(gpus("V100 of the notes") == doctest::Approx(8));
  CHECK(gpus("A100 of the notes") == doctest::Approx(2));
  CHECK(gpus("v100-sxm-32gb") == doctest::Approx(8));               // 1000/125
  CHECK(gpus("a100-sxm-80gb") == doctest::Approx(1000.0 / 312));    // 3.2
  CHECK(gpus("h100-sxm-80gb") == doctest::Approx(1000.0 / 989.4));  // 1.01
  CHECK(number(cell_of(t, "a100-sxm-80gb", "gpus_at_40_percent").value) == doctest::Approx(2500.0 / 312));
  CHECK(kPetaflopDay == 8.64e19);
  // Every GPU of the catalogue has a row.
  CHECK(t.rows.size() == hardware::gpu_names().size() + 2);
}

TEST_CASE("an unknown table is refused with those there are") {
  CHECK(mistake_of(planning_table("best")).help == "write optimal, compute, sample_efficiency or petaflop_day");
}

}  // namespace
}  // namespace orrery::planning::published_test
