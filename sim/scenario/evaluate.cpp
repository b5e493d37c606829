#include "orrery/scenario/evaluate.hpp"

#include "hosts_used.hpp"
#include "located.hpp"
#include "playing.hpp"
#include "size.hpp"

namespace orrery::scenario {
namespace {

void judge(const Run& run, report::RunResult& result, engine::Replays& replays, Evaluation& evaluation) {
  const engine::MemoryVerdict judged =
      engine::memory_verdict(result.program, result.timeline, result.usable_memory - result.context_memory,
                             segments_of(run.scenario()), replays);
  evaluation.peak = judged.peak;
  evaluation.free = judged.free;
  evaluation.replayed = judged.replayed;
  const std::optional<report::HostUse> hosts = host_use(run, result.program, result.timeline);
  const bool held = !hosts || hosts->fullest.bytes <= hosts->usable.value;
  evaluation.verdict = !judged.fits || !held ? report::Verdict::does_not_fit
                       : judged.released     ? report::Verdict::fits_by_releasing
                                             : report::Verdict::fits;
}

// Whether a bound says that nobody asks about it.
bool passed_over(const Run& run, program::Costs& costs, const Uninteresting& what, Evaluation& evaluation) {
  if (what.memory) {
    const Bytes held = program::least_memory(run.input(), costs);
    const Scenario& s = run.scenario();
    evaluation.free = (s.gpu.usable_memory - s.outside_allocator(s.gpu) - held).value;
    if (held > *what.memory) return true;
  }
  return what.played && program::shortest_step(run.input(), costs) > *what.played;
}

Result<Evaluation> evaluated(const Run& run, EvaluationCosts& costs, const Uninteresting& what) {
  Evaluation evaluation;
  evaluation.played = evaluation.judged = !passed_over(run, costs.steps, what, evaluation);
  if (!evaluation.played) return evaluation;
  RunOptions options;
  options.memory_limit = costs.memory_limit;
  program::LowerOptions how = lower_options(run.scenario(), options);
  how.stage_times = how.inside = how.flops_book = false;
  how.admit = {};
  if (!surely_small(run.scenario(), options, Made::evaluation))
    how.admit = [&](const program::Footprint& size) {
      return check_size(run.scenario(), options, size, Made::evaluation);
    };
  Result<PlayedStep> played = lower_and_play(run.input(), how, options, costs.steps);
  if (!played.ok()) return played.errors();
  report::RunResult result;
  fill_in(result, run, std::move(played->step));
  result.timeline = std::move(played->timeline);
  result.split = engine::split_time(result.program, result.timeline);
  // metrics_of() asks for the memory of each device: of the fullest alone, which the verdict has judged.
  result.memory.resize(result.program.devices.size());
  result.reserved.resize(result.program.devices.size());
  evaluation.judged = !what.judged || result.timeline.step_time <= *what.judged;
  if (evaluation.judged) judge(run, result, costs.replays, evaluation);
  const report::Metrics metrics = report::metrics_of(result);
  evaluation.step_time = result.timeline.step_time;
  evaluation.bubble_fraction = metrics.bubble_fraction;
  evaluation.mfu = metrics.mfu;
  evaluation.hfu = metrics.hfu;
  evaluation.tokens_per_s_per_gpu = metrics.tokens_per_s_per_gpu;
  evaluation.mean_s = metrics.mean_s;
  return evaluation;
}

}  // namespace

Result<Evaluation> evaluate(const Run& run, EvaluationCosts& costs, const Uninteresting& what) {
  return located(run.scenario(), [&] { return evaluated(run, costs, what); });
}

}  // namespace orrery::scenario
