#include "long_run.hpp"

#include <fmt/format.h>

#include <cmath>

#include "format.hpp"

namespace orrery::report {

std::string varied_text(const RunResult& run) {
  constexpr std::size_t kMost = 3;
  const VariedSteps& v = *run.varied;
  std::string text = fmt::format(
      " of {} with a spread of {} between GPUs and {} from step to step, half take {} ({:+.1f} %) or less, 95 of 100 "
      "{}, 99 "
      "{}. The others wait for ",
      integer_text(v.steps), percent_text(v.gpus), percent_text(v.from_step_to_step), time_text(v.p50.value),
      100 * (seconds(v.p50) / seconds(run.timeline.step_time) - 1), time_text(v.p95.value), time_text(v.p99.value));
  const std::size_t shown = std::min(kMost, v.waited_for.size());
  for (std::size_t i = 0; i < shown; ++i)
    text += fmt::format("{}rank {} ({} of the steps)",
                        i == 0           ? ""
                        : i + 1 == shown ? " and "
                                         : ", ",
                        v.waited_for[i].first, percent_text(v.waited_for[i].second));
  return text + (v.waited_for.size() > shown ? " most." : ".");
}

std::string long_run_text(const reliability::Plan& plan) {
  const reliability::Job& job = plan.job;
  const double rate = job.rate(), held = job.hold;
  const reliability::Losses l = reliability::losses_of_interval(job);
  std::string text = fmt::format(" a failure every {}; a checkpoint every {} ({} step{}", duration_text(1 / rate),
                                 duration_text(job.interval), integer_text(plan.steps), plan.steps == 1 ? "" : "s");
  if (plan.best)
    text += ", the best interval)";
  else if (plan.write_longer)
    text += ", as writing one takes longer than the interval)";
  else
    text += fmt::format("; best: {})", duration_text(reliability::best_interval(job)));
  text += held < plan.checkpoint ? fmt::format(" takes {}, {} of them holding the step", duration_text(plan.checkpoint),
                                               duration_text(held))
                                 : fmt::format(" holds the step for {}", duration_text(held));
  const double all = l.total();
  if (!std::isfinite(all)) return text + ". Such a run never ends: it fails before a checkpoint is written.";
  return text + fmt::format(
                    ". {} of the time is training, {} checkpoints, {} work done again, {} restarts, {} waiting for "
                    "nodes.",
                    percent_text(l.goodput()), percent_text(l.checkpoints / all), percent_text(l.lost / all),
                    percent_text(l.recovery / all), percent_text(l.waiting / all));
}

std::vector<std::pair<std::string, double>> long_run_figures(const reliability::Plan& plan) {
  const reliability::Losses l = reliability::losses_of_interval(plan.job);
  const double all = l.total();
  const auto part = [&](double of) { return std::isfinite(all) ? of / all : 0; };
  return {{"goodput", l.goodput()},
          {"checkpoints", part(l.checkpoints)},
          {"lost", std::isfinite(all) ? l.lost / all : 1},
          {"restarts", part(l.recovery)},
          {"waiting", part(l.waiting)},
          {"failures_per_day", 86400 * plan.job.rate()},
          {"checkpoint_s", plan.checkpoint},
          {"checkpoint_hold_s", plan.job.hold},
          {"checkpoint_interval_s", plan.job.interval},
          {"best_interval_s", reliability::best_interval(plan.job)},
          {"young_interval_s", reliability::young_interval(plan.job)}};
}

}  // namespace orrery::report
