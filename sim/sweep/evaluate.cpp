#include "sweep/evaluate.hpp"

#include <algorithm>

#include "orrery/scenario/evaluate.hpp"
#include "scenario/long_run.hpp"

namespace orrery::sweep {

Figures figures_of(const report::RunResult& run) {
  const report::Metrics m = report::metrics_of(run);
  Figures f;
  f.step_time_ps = run.timeline.step_time.value;
  f.gpus = run.gpus;
  f.tokens = run.tokens;
  for (const engine::DeviceMemory& memory : run.memory)
    f.peak_memory_bytes = std::max(f.peak_memory_bytes, memory.peak);
  f.headroom_bytes = m.headroom;
  f.memory_bytes = run.usable_memory.value - m.headroom;
  f.reserved_bytes = f.memory_bytes - run.context_memory.value;
  f.bubble_fraction = m.bubble_fraction;
  f.mfu = m.mfu;
  f.hfu = m.hfu;
  f.tokens_per_s_per_gpu = m.tokens_per_s_per_gpu;
  f.mean_s = m.mean_s;
  return f;
}

std::string reason(const Diagnostics& errors) {
  const Diagnostic& first = errors.front();
  return first.path.empty() ? first.message : first.path + ": " + first.message;
}

namespace {

Evaluation in_short(const scenario::Run& run, scenario::EvaluationCosts& costs, const scenario::Uninteresting& what) {
  const Result<scenario::Evaluation> played = scenario::evaluate(run, costs, what);
  if (!played.ok()) return {Status::refused, {}, reason(played.errors())};
  if (!played->played) {
    Figures f;
    f.headroom_bytes = std::min<std::int64_t>(played->free, 0);
    const hardware::Gpu& gpu = run.scenario().gpu;
    const Bytes held = gpu.usable_memory - run.scenario().outside_allocator(gpu) - Bytes{played->free};
    return {Status::pruned, f, what.memory && held > *what.memory ? kFarTooLarge : kSlowerPasses};
  }
  if (!played->judged) return {Status::pruned, {}, kSlower};
  const scenario::Scenario& s = run.scenario();
  Figures f;
  f.step_time_ps = played->step_time.value;
  f.gpus = s.layout.ranks();
  f.tokens = checked_mul(s.training.global_batch, s.tokens_of_sequence());
  f.peak_memory_bytes = played->peak;
  f.memory_bytes = played->peak + s.outside_allocator(s.gpu).value;
  f.headroom_bytes = played->free;
  f.bubble_fraction = played->bubble_fraction;
  f.mfu = played->mfu;
  f.hfu = played->hfu;
  f.tokens_per_s_per_gpu = played->tokens_per_s_per_gpu;
  f.mean_s = played->mean_s;
  return {played->verdict == report::Verdict::does_not_fit ? Status::does_not_fit : Status::ok, f, {}};
}

Evaluation in_full(const scenario::Run& run, const EvaluateOptions& options) {
  scenario::RunOptions how;
  how.what_if = false;
  how.memory_limit = options.memory_limit;
  const Result<report::RunResult> played = scenario::simulate(run, how);
  if (!played.ok()) return {Status::refused, {}, reason(played.errors())};
  if (!played->books.empty())
    internal_error("the books of a layout do not balance: " + played->books.front() + " (" + played->title + ")");
  const bool fits = report::metrics_of(*played).fits();
  return {fits ? Status::ok : Status::does_not_fit, figures_of(*played), {}};
}

}  // namespace

Evaluator::Evaluator(Catalogue& catalogue, const EvaluateOptions& options)
    : options_(options),
      resolver_(catalogue, {.automatic = scenario::NetworkModeChoice::steady,
                            .memory_limit = options.memory_limit,
                            .evaluated = !options.reserved}) {
  costs_.memory_limit = options.memory_limit;
}

Evaluation Evaluator::evaluate(const scenario::Scenario& scenario, const scenario::Uninteresting& what) {
  const Result<scenario::Run> ready = resolver_.resolve(scenario);
  if (!ready.ok()) return {Status::refused, {}, reason(ready.errors())};
  Evaluation result = options_.reserved ? in_full(*ready, options_) : in_short(*ready, costs_, what);
  Figures& f = result.figures;
  f.cost_usd =
      scenario.gpu.price_usd_per_hour * static_cast<double>(f.gpus) * static_cast<double>(f.step_time_ps) / 3.6e15;
  if (scenario.reliability.given() && f.step_time_ps > 0)
    f.goodput = reliability::losses_of_interval(scenario::long_run_of(scenario, Time{f.step_time_ps}).job).goodput();
  return result;
}

}  // namespace orrery::sweep
