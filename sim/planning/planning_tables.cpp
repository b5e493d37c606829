#include <fmt/format.h>

#include <cmath>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/scaling.hpp"

namespace orrery::planning {
namespace {

AnswerCell count(double value) {
  return {value, count_text(value)};
}
AnswerCell number(double value, const char* format = "{:.4g}") {
  return {value, fmt::format(fmt::runtime(format), value)};
}

Answer optimal(const ScalingTable& laws, const Published& published) {
  AnswerTable table{"models",
                    "",
                    {{"model", "model", false},
                     {"parameters", "parameters"},
                     {"optimal_tokens", "optimal tokens"},
                     {"tokens", "actual tokens"},
                     {"tokens_per_parameter", "tokens/parameter"},
                     {"trained", "trained", false},
                     {"loss", "loss (Hoffmann)"},
                     {"kaplan_loss", "loss (Kaplan)"}}};
  const double ratio = laws.find("chinchilla")->tokens_per_parameter;
  for (const PublishedRun& m : published.models) {
    const double per = m.tokens / m.parameters;
    table.rows.push_back(
        {cell(m.name), count(m.parameters), count(ratio * m.parameters), count(m.tokens), number(per, "{:.3g}"),
         cell(per < 0.9 * ratio   ? "too little"
              : per > 1.1 * ratio ? "longer"
                                  : "as is optimal"),
         number(laws.hoffmann().loss(m.parameters, m.tokens)), number(laws.kaplan_loss.loss(m.parameters, m.tokens))});
  }
  return {
      "orrery.plan/1",
      "Published models beside the compute-optimal tokens of their size, 20 a parameter",
      {{"", "", {}, {table}}},
      {"Losses are predicted: Hoffmann et al. 2022, approach 3, of their data; Kaplan et al. 2020, of theirs. Compare "
       "within a column alone.",
       "Longer than optimal costs compute and saves it where the model is used: a smaller model for the same loss.",
       "Slip: one table of the course notes has 1.4 B for the 1.4 T tokens of Chinchilla, and one note 1.3 T; 20 · 70 "
       "B "
       "are 1.4 T. Their example of 96 B parameters: 1.92 T tokens."}};
}

Answer compute(const Published& published) {
  AnswerTable table{"runs",
                    "",
                    {{"model", "model", false},
                     {"parameters", "parameters"},
                     {"tokens", "tokens"},
                     {"flops_per", "FLOPs per"},
                     {"flops", "FLOPs"},
                     {"petaflop_days", "petaFLOP/s-days"},
                     {"printed", "as printed"},
                     {"exact_petaflop_days", "with exact count"}}};
  for (const PublishedRun& r : published.compute) {
    const double flops = r.flops_per * r.parameters * r.tokens;
    double exact = r.exact_parameters;
    if (!r.preset.empty())
      if (const auto model = model::load_model(r.preset); model.ok())
        exact = static_cast<double>(model::parameter_count(*model));
    const double days = r.flops_per * exact * r.tokens / kPetaflopDay;
    table.rows.push_back({cell(r.name),
                          count(r.parameters),
                          count(r.tokens),
                          number(r.flops_per),
                          number(flops, "{:.3E}"),
                          AnswerCell{flops / kPetaflopDay, petaflop_days_text(flops)},
                          number(r.petaflop_days),
                          {days, exact > 0 ? petaflop_days_text(days * kPetaflopDay) : ""}});
  }
  return {
      "orrery.plan/1",
      "Training compute as the GPT-3 paper counts it (Brown et al. 2020, table D.1)",
      {{"", "", {}, {table}}},
      {"FLOPs are 6 for each parameter and token, 3 of encoder-decoders, where a token sees half of the parameters. 1 "
       "petaFLOP/s-day is 8.64e19 FLOPs: 8 V100 at the 125 TFLOP/s of fp16 for a day, or 2 A100 as the course notes "
       "say, "
       "which takes 500 TFLOP/s of each; at the 312 of its data sheet it is 3.2 A100, at full efficiency."}};
}

Answer sample_efficiency(const ScalingTable& laws) {
  const std::vector<double> sizes{1e9, 7e9, 13e9, 70e9, 175e9, 405e9};
  AnswerTable table{"losses", "", {{"loss", "loss"}}};
  for (const double n : sizes) table.columns.push_back({"tokens_" + count_text(n), count_text(n) + " parameters"});
  for (const double loss : {2.6, 2.5, 2.4, 2.3, 2.2, 2.1, 2.0, 1.95}) {
    auto& row = table.rows.emplace_back();
    row.push_back(number(loss));
    for (const double n : sizes) {
      const double tokens = laws.hoffmann().tokens_for(loss, n);
      row.push_back(std::isfinite(tokens) ? count(tokens) : AnswerCell{std::string("never"), "never"});
    }
  }
  const double eight = std::pow(8, laws.kaplan_data_exponent);
  return {
      "orrery.plan/1",
      "Tokens that a model of each size takes to reach a loss: larger models are more sample-efficient",
      {{"", "", {{"data_for_8_times_the_model", eight, "", ""}}, {table}}},
      {"Hoffmann et al. 2022, approach 3: L = 1.69 + 406.4/N^0.34 + 410.7/D^0.28.",
       fmt::format(
           "To keep up with 8 times the parameters data must grow by 8^{:g} = {:.2f}, about 5 (Kaplan et al. 2020).",
           laws.kaplan_data_exponent, eight)}};
}

// How many of each make a petaFLOP/s-day in a day at full efficiency: 10^15 over the peak.
Result<Answer> petaflop_day(Catalogue& catalogue) {
  AnswerTable table{"gpus_of_a_petaflop_day",
                    "",
                    {{"gpu", "GPU", false},
                     {"peak_flops_per_s", "TFLOP/s"},
                     {"gpus", "GPUs for a day"},
                     {"gpus_at_40_percent", "at 40 %"},
                     {"is", "which peak", false}}};
  const auto add = [&](const std::string& name, double peak, const char* is) {
    table.rows.push_back({cell(name),
                          {peak, fmt::format("{:.4g}", peak / 1e12)},
                          number(1e15 / peak, "{:.3g}"),
                          number(2.5e15 / peak, "{:.3g}"),
                          cell(is)});
  };
  add("V100 of the notes", 125e12, "what \"8 V100\" assumes, its own in fp16");
  add("A100 of the notes", 500e12, "what \"2 A100\" assumes; no A100 has it");
  for (const std::string& name : hardware::gpu_names()) {
    const auto gpu = hardware::load_gpu(name, catalogue);
    if (!gpu.ok()) return gpu.errors();
    if (gpu->peak_16_bit() > 0) add(name, gpu->peak_16_bit(), "dense, 16-bit, data sheet");
  }
  return Answer{
      "orrery.plan/1",
      "What makes 1 petaFLOP/s-day, 8.64e19 FLOPs, in a day at full efficiency",
      {{"", "", {{"flops", kPetaflopDay, "", ""}}, {table}}},
      {"Slip: \"8 V100 or 2 A100\" of the course notes takes 125 and 500 TFLOP/s of each. 125 is the fp16 peak of a "
       "V100; an A100 has 312, so it takes 3.2. Their own table of prices has 16.4 (fp32) and 312, with which "
       "it would be 61 V100 and 3.2 A100.",
       "Runs reach 35 to 55 % of the peak."}};
}

}  // namespace

Result<Answer> planning_table(const std::string& name, Catalogue& catalogue) {
  const auto laws = load_scaling(catalogue);
  if (!laws.ok()) return laws.errors();
  const auto published = load_published(catalogue);
  if (!published.ok()) return published.errors();
  if (name == "optimal") return optimal(*laws, *published);
  if (name == "compute") return compute(*published);
  if (name == "sample_efficiency") return sample_efficiency(*laws);
  if (name == "petaflop_day") return petaflop_day(catalogue);
  return wrong_option("--table", fmt::format("'{}' is not known", name),
                      "write optimal, compute, sample_efficiency or petaflop_day");
}

}  // namespace orrery::planning
