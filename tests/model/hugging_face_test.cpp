// config.json of published models: read to the last key, with the parameters that the manifest beside them gives.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "orrery/core/csv.hpp"
#include "orrery/model/presets.hpp"
#include "paths.hpp"

namespace orrery::model::hugging_face_test {

namespace {

std::string data(const std::string& file) {
  return orrery::testing::source_dir() + "/tests/data/model/" + file;
}

struct TemporaryConfig {
  explicit TemporaryConfig(const std::string& text)
      : path((std::filesystem::temp_directory_path() / ("orrery_hf_" + std::to_string(std::rand()) + ".json"))
                 .string()) {
    std::ofstream(path) << text;
  }
  ~TemporaryConfig() { std::filesystem::remove(path); }
  std::string path;
};

// The file with a key more, or another value of it.
Result<ModelChoice> with(const std::string& file, const std::string& key_and_value) {
  std::ifstream in(data(file));
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string nested = "\"text_config\": {";
  const std::size_t at = text.find(nested);
  text.insert(at == std::string::npos ? text.find('{') + 1 : at + nested.size(), key_and_value + ",");
  return load_hugging_face(TemporaryConfig(text).path);
}

std::string refused(const Result<ModelChoice>& m) {
  return m.ok() ? "accepted" : m.errors().front().path + ": " + m.errors().front().message;
}

}  // namespace

TEST_CASE("parameters of published models, total and active, are those of the manifest; others are refused by a key") {
  const auto manifest = read_csv_file(data("MANIFEST.csv"));
  REQUIRE(manifest.ok());
  const auto cell = [&](std::size_t row, const char* title) {
    return manifest->rows[row][static_cast<std::size_t>(manifest->column(title))].text;
  };
  int counted = 0, known = 0;
  for (std::size_t row = 0; row < manifest->rows.size(); ++row) {
    const std::string file = cell(row, "file"), total = cell(row, "total_parameters");
    CAPTURE(file);
    const auto m = load_hugging_face(data(file));
    if (total.empty()) {
      CHECK(!m.ok());
      ++known;
      continue;
    }
    REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : render(m.errors())));
    CHECK(std::to_string(parameter_count(*m)) == total);
    CHECK(std::to_string(active_parameters(*m)) == cell(row, "active_parameters"));
    ++counted;
  }
  CHECK(counted == 59);
  CHECK(known == 11);
}

TEST_CASE("what cannot be described is refused by the key that is the sign of it") {
  const std::pair<const char*, const char*> keys[] = {{"deepseek-v3.2.json", "index_topk"},
                                                      {"deepseek-v4-flash.json", "index_topk"},
                                                      {"gemma-4-26b-a4b.json", "vision_config"},
                                                      {"glm-5.json", "index_topk"},
                                                      {"nemotron-3-nano-30b-a3b.json", "hybrid_override_pattern"},
                                                      {"nemotron-super-49b.json", "block_configs"},
                                                      {"qwen3-next-80b-a3b.json", "full_attention_interval"},
                                                      {"qwen3-vl-8b.json", "vision_config"},
                                                      {"qwen3.5-27b.json", "vision_config"},
                                                      {"qwen3.5-35b-a3b.json", "vision_config"},
                                                      {"step-3.7-flash.json", "share_expert_dim"}};
  for (const auto& [file, key] : keys) {
    CAPTURE(file);
    const auto m = load_hugging_face(data(file));
    REQUIRE(!m.ok());
    CHECK(m.errors().front().path == key);
    CHECK(!m.errors().front().help.empty());
  }
}

// 2 h² of the projection, 3 h of norms, a layer like the last (DeepSeek-V3's README prints 11.5B).
TEST_CASE("modules that predict further tokens are counted apart") {
  CHECK(prediction_parameters(*load_hugging_face(data("deepseek-v3.json"))) == 11'610'068'224);
  CHECK(prediction_parameters(*load_hugging_face(data("mimo-7b.json"))) == 210'790'400);
  CHECK(prediction_parameters(*load_hugging_face(data("kimi-k2.json"))) == 0);
  // GLM-4.5's fixture leaves the key out; with it the counts of the released files.
  CHECK(prediction_parameters(*with("glm-4.5.json", "\"num_nextn_predict_layers\": 1")) == 3'988'069'792);
  CHECK(prediction_parameters(*with("glm-4.5-air.json", "\"num_nextn_predict_layers\": 1")) == 2'375'059'584);
}

TEST_CASE("a key of any of the files is read, known to be harmless, or named") {
  for (const auto& entry : std::filesystem::directory_iterator(data(""))) {
    const std::string file = entry.path().filename().string();
    if (entry.path().extension() != ".json" || !load_hugging_face(entry.path().string()).ok()) continue;
    CAPTURE(file);
    CHECK(refused(with(file, "\"some_new_key\": 3")) ==
          "some_new_key: 3 is not described here: the model would be another one");
    CHECK(refused(with(file, "\"some_new_key\": null")) == "accepted");
  }
}

TEST_CASE("windows, and the layers that see all positions") {
  const auto window = [](const char* file) {
    const auto m = load_hugging_face(data(file));
    std::string layers;
    for (std::int64_t i = 0; i < 8; ++i) layers += std::to_string(m->window_of(i)) + " ";
    return layers;
  };
  CHECK(window("mistral-7b-v0.1.json") == "4096 4096 4096 4096 4096 4096 4096 4096 ");
  CHECK(window("mistral-7b-v0.3.json") == "0 0 0 0 0 0 0 0 ");
  CHECK(window("gemma-2-9b.json") == "4096 0 4096 0 4096 0 4096 0 ");
  CHECK(window("gemma-3-1b.json") == "512 512 512 512 512 0 512 512 ");
  CHECK(window("gpt-oss-20b.json") == "128 0 128 0 128 0 128 0 ");
  CHECK(window("llama-4-scout.json") == "8192 8192 8192 0 8192 8192 8192 0 ");
  CHECK(load_hugging_face(data("llama-4-scout.json"))->attention_chunks);
  CHECK(refused(with("qwen2-7b.json",
                     "\"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\"]")) ==
        "layer_types: layers that see all positions are described where they are each so manyth");
}

TEST_CASE("values that change the model are read") {
  const auto gemma = load_hugging_face(data("gemma-2-9b.json"));
  CHECK(gemma->norm_place == NormPlace::both);
  CHECK(gemma->score_cap);
  CHECK(gemma->logit_cap);
  CHECK(load_hugging_face(data("gemma-3-1b.json"))->score_cap == false);
  CHECK(load_hugging_face(data("pythia-14m.json"))->rotary_dim == 8);  // a quarter of 32
  CHECK(load_hugging_face(data("pythia-14m.json"))->parallel == Parallel::two_norms);
  CHECK(load_hugging_face(data("gpt-neox-redpajama-3b.json"))->parallel == Parallel::none);
  CHECK(load_hugging_face(data("aya-23-8b.json"))->parallel == Parallel::one_norm);
  CHECK(load_hugging_face(data("olmo-2-7b.json"))->norm_place == NormPlace::after);
  CHECK(load_hugging_face(data("gpt-bigcode-1b.json"))->kv_heads == 1);
  const auto deepseek = load_hugging_face(data("deepseek-v3.json"));
  CHECK(deepseek->dim_per_head() == 192);
  CHECK(deepseek->experts.router == Router::sigmoid);
  CHECK(deepseek->experts.top_groups == 4);
  // Maverick: experts on each second layer; DeepSeek-V3: on all but the first three.
  const auto maverick = load_hugging_face(data("llama-4-maverick.json"));
  CHECK(!maverick->experts.in_layer(0));
  CHECK(maverick->experts.in_layer(1));
  CHECK(!deepseek->experts.in_layer(2));
  CHECK(deepseek->experts.in_layer(3));
}

TEST_CASE("presets of today's families have the counts of their source") {
  // Counted from the structure of each family; those of SmolLM2 are its model cards'.
  const std::pair<const char*, std::int64_t> exact[] = {
      {"mistral-7b", 7'248'023'552},   {"qwen2-72b", 72'706'203'648},    {"qwen2.5-3b", 3'085'938'688},
      {"qwen2.5-14b", 14'770'033'664}, {"qwen2.5-32b", 32'763'876'352},  {"gemma3-4b", 3'880'263'168},
      {"gemma3-12b", 11'766'034'176},  {"gpt-neox-20b", 20'554'567'680}, {"pythia-6.9b", 6'857'302'016},
      {"pythia-12b", 11'846'072'320},  {"falcon-7b", 6'921'720'704},     {"falcon-180b", 178'557'088'768},
      {"glm4-9b", 9'400'279'040},      {"llama3.2-3b", 3'212'749'824},   {"llama3.3-70b", 70'553'706'496},
      {"smollm2-135m", 134'515'008},   {"grok-1", 315'684'820'992}};
  for (const auto& [name, count] : exact) {
    CAPTURE(name);
    const auto m = load_model(name);
    REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : render(m.errors())));
    CHECK(parameter_count(*m) == count);
  }
  CHECK(active_parameters(*load_model("grok-1")) == 83'756'587'008);
  // Those that are in the manifest have the shape of their file.
  const std::pair<const char*, const char*> same[] = {
      {"mixtral-8x7b", "mixtral-8x7b.json"},        {"deepseek-v3", "deepseek-v3.json"},
      {"qwen3-235b-a22b", "qwen3-235b-a22b.json"},  {"gpt-oss-120b", "gpt-oss-120b.json"},
      {"llama4-maverick", "llama-4-maverick.json"}, {"gemma2-9b", "gemma-2-9b.json"}};
  for (const auto& [name, file] : same) {
    CAPTURE(name);
    const auto preset = load_model(name), read = load_hugging_face(data(file));
    CHECK(parameter_count(*preset) == parameter_count(*read));
    CHECK(active_parameters(*preset) == active_parameters(*read));
    CHECK(preset->window_of(0) == read->window_of(0));
    CHECK(preset->latent() == read->latent());
  }
}

}  // namespace orrery::model::hugging_face_test
