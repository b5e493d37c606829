#include <fmt/format.h>

#include "orrery/core/show.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/rule_of_thumb.hpp"

namespace orrery::planning {
namespace {

const ThumbGpu* gpu_of(const ThumbTable& table, const std::string& name) {
  for (const ThumbGpu& gpu : table.gpus)
    if (gpu.name == name) return &gpu;
  return nullptr;
}

Diagnostic unknown_gpu(const ThumbTable& table, const std::string& name) {
  std::string known;
  for (const ThumbGpu& gpu : table.gpus) known += (known.empty() ? "" : ", ") + gpu.name;
  if (name.empty()) return wrong_option("--gpu", "is missing: the notes' table has " + known, "write --gpu a100");
  return wrong_option("--gpu", fmt::format("'{}' is not in the notes' table: {}", name, known),
                      "without --rule-of-thumb every GPU of `orrery list gpus` is known");
}

struct Cost {
  double flops = 0, hours = 0, usd = 0;
};
Cost cost_of(double flops, const ThumbGpu& gpu, double efficiency) {
  const double hours = flops / (static_cast<double>(gpu.peak.value) * efficiency * 3600);
  return {flops, hours, hours * gpu.price_usd_per_hour};
}

AnswerPart part_of(const char* key, std::string heading, const Cost& c, const ThumbGpu& gpu, const char* slip) {
  return {key,
          std::move(heading),
          {{"flops", c.flops, "training compute", flops_text(c.flops), slip},
           {"petaflop_days", c.flops / kPetaflopDay, "petaFLOP/s-days", grouped_text(c.flops / kPetaflopDay)},
           {"gpu_hours", c.hours, "GPU hours", fmt::format("{:.2E}", c.hours)},
           {"cost_usd", c.usd, "cost", money_text(c.usd), fmt::format("${:.2f} a GPU hour", gpu.price_usd_per_hour)}}};
}

}  // namespace

Result<Answer> thumb_plan(const ThumbPlan& plan, Catalogue& catalogue) {
  const auto table = load_thumb_table(catalogue);
  if (!table.ok()) return table.errors();
  const ThumbGpu* gpu = gpu_of(*table, plan.gpu);
  if (gpu == nullptr) return unknown_gpu(*table, plan.gpu);
  double parameters = plan.parameters.value_or(0);
  if (!plan.parameters) {
    const auto found = parameters_of(plan.model, *table, catalogue);
    if (!found.ok()) return found.errors();
    parameters = *found;
  }
  const Cost notes = cost_of(parameters * plan.tokens, *gpu, plan.efficiency),
             six = cost_of(6 * parameters * plan.tokens, *gpu, plan.efficiency);
  Answer answer{"orrery.plan/1",
                fmt::format("By the notes' rule of thumb: {} parameters{} on {} tokens, {} at {:g} % of its peak",
                            count_text(parameters),
                            plan.model.empty() ? "" : " (" + safe_to_show(plan.model, Shown::one_line) + ")",
                            count_text(plan.tokens), gpu->name, 100 * plan.efficiency)};
  answer.parts.push_back({"",
                          "",
                          {{"parameters", parameters, "", ""},
                           {"tokens", plan.tokens, "", ""},
                           {"gpu", gpu->name, "", ""},
                           {"peak_flops_per_s", static_cast<double>(gpu->peak.value), "", ""},
                           {"efficiency", plan.efficiency, "", ""}}});
  answer.parts.push_back(
      part_of("n_d", "N·D, as the notes print it", notes, *gpu, "slip: one FLOP for each parameter and token"));
  answer.parts.push_back(part_of("six_n_d", "6·N·D, what training takes", six, *gpu, "six for each"));
  answer.notes = {
      "Slip: the notes count one FLOP for each parameter and token. Forward and backward pass take six, so a "
      "run takes six times the hours and the money.",
      fmt::format("Slip: the peaks of the notes are not of one kind: t4 and v100 in fp32 on the ordinary cores, "
                  "a100 in 16 bits on the tensor cores. {} here: {:g} TFLOP/s, {}.",
                  gpu->name, static_cast<double>(gpu->peak.value) / 1e12, gpu->peak_is),
      fmt::format("Prices and peaks: {}. `orrery list gpus` and `orrery plan --scenario` know the real ones.",
                  table->source)};
  return answer;
}

}  // namespace orrery::planning
