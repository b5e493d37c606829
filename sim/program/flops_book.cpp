#include "flops_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

namespace orrery::program {
namespace {

using layout::PassKind;
using layout::PassStep;

// "attention", "attention.scores", "attention.context", "attention.relative".
WideFlops& part(FlopCount& count, const PassStep& step) {
  return std::string_view(step.name).starts_with("attention") ? count.attention : count.linear;
}

void scale(FlopCount& count, Int128 times) {
  count.linear *= times, count.attention *= times;
}

// Those of an expert group, where they do unlike work.
WideFlops ranks_told_apart(const StageCosts& stages) {
  const auto& places = stages.alike_places();
  const bool alike = std::all_of(places.begin(), places.end(), [](std::int32_t place) { return place == 0; });
  return alike ? 1 : static_cast<WideFlops>(places.size());
}

void add_executed(const cost::KernelModel& kernels, StageCosts& stages, int stage, std::int32_t place, WideFlops times,
                  StepFlops& f) {
  for (const PassStep& step : stages.steps(stage, PassKind::forward, place))
    part(f.executed, step) += times * cost::executed_flops(kernels, step.kernel).value;
  for (const PassStep& step : stages.steps(stage, PassKind::backward, place)) {
    const WideFlops executed = times * cost::executed_flops(kernels, step.kernel).value;
    part(f.executed, step) += executed;
    if (step.role != layout::StepRole::recompute) continue;
    part(f.again, step) += executed;
    f.korthikanti += times * step.kernel.flops.value;
  }
}

// What runs in so many passes of each stage on each kind of GPU, as often as an expert group tells ranks apart; of the
// model one micro-batch, on all tensor and context ranks of each stage.
StepFlops sum_over_stages(const StepInput& input, StageCosts& stages,
                          const std::vector<std::vector<std::int64_t>>& passes_of) {
  StepFlops f;
  const int alike_ranks = input.layout.tensor * input.layout.context;
  std::map<int, WideFlops> alike;            // how many stages do the work of this one
  std::map<int, std::vector<WideFlops>> on;  // [kind of GPU] passes of these
  const std::vector<GpuRef> kinds = gpu_kinds(input);
  for (int s = 0; s < stages.stages(); ++s) {
    ++alike[stages.alike(s)];
    std::vector<WideFlops>& passes = on[stages.alike(s)];
    passes.resize(kinds.size());
    for (std::size_t k = 0; k < kinds.size(); ++k) passes[k] += passes_of[static_cast<std::size_t>(s)][k];
  }
  std::map<std::int32_t, WideFlops> like;  // ranks of an expert group that do the work of this one
  for (const std::int32_t place : stages.alike_places()) ++like[place];
  const WideFlops all = ranks_told_apart(stages);
  if (all == 1) like = {{0, 1}};
  for (const auto& [s, times] : alike) {
    for (const PassStep& step : stages.balanced_forward(s))
      part(f.model, step) += times * 3 * static_cast<WideFlops>(step.kernel.flops.value) * (alike_ranks / step.copies);
    for (const auto& [place, ranks] : like)
      for (std::size_t k = 0; k < kinds.size(); ++k)
        if (on[s][k] > 0) add_executed(kinds[k].kernels, stages, s, place, on[s][k] * ranks, f);
  }
  return f;
}

}  // namespace

bool counts_attention_twice(const layout::PassOptions& o) {
  return o.recompute == layout::Recompute::selective && o.recompute_modules == layout::RecomputeModules{};
}

StepFlops count_flops(const StepInput& input, StageCosts& stages) {
  StepFlops f;
  WideFlops passes = 1;
  if (input.of_replicas.empty()) {  // as many on each rank
    std::optional<StepFlops>& known = stages.flops();
    if (!known) known = sum_over_stages(input, stages, ranks_by_kind(input));
    f = *known;
    passes = input.schedule->micro_batches;
  } else {
    f = sum_over_stages(input, stages, micro_batches_by_kind(input));
  }
  scale(f.model, micro_batches_of_step(input));
  const WideFlops each = ranks_told_apart(stages) * input.schedule->placement.pipes;
  const auto of_step = [&](WideFlops& flops) { flops = flops * passes / each; };
  for (FlopCount* count : {&f.executed, &f.again}) of_step(count->linear), of_step(count->attention);
  of_step(f.korthikanti);
  f.korthikanti = f.model.total() + (counts_attention_twice(input.pass) ? f.model.attention : f.korthikanti);
  return f;
}

std::vector<std::string> audit_flops(const StepInput& input, const StepFlops& counted) {
  const StepFlops closed = closed_form_flops(input);
  std::vector<std::string> wrong;
  const auto compare = [&](const char* what, WideFlops count, WideFlops form) {
    if (count != form)
      wrong.push_back(
          fmt::format("FLOPs: {} are {} by the kernels of the passes, {} in closed form", what, count, form));
  };
  compare("the model's of linear layers", counted.model.linear, closed.model.linear);
  compare("the model's of attention", counted.model.attention, closed.model.attention);
  compare("those run of linear layers", counted.executed.linear, closed.executed.linear);
  compare("those run of attention", counted.executed.attention, closed.executed.attention);
  compare("those run again of linear layers", counted.again.linear, closed.again.linear);
  compare("those run again of attention", counted.again.attention, closed.again.attention);
  compare("those as Korthikanti et al. count", counted.korthikanti, closed.korthikanti);
  return wrong;
}

}  // namespace orrery::program
