#include "long_run.hpp"

#include <fmt/format.h>

#include <cmath>

#include "format.hpp"

namespace orrery::report {

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
