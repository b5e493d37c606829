#include "long_run.hpp"

#include <fmt/format.h>

#include <cmath>

#include "orrery/report/numbers.hpp"

namespace orrery::planning {
namespace {

using report::duration_text;

Figure share(const char* key, const char* label, double seconds, double all, std::string remark = {}) {
  return {key, seconds, label, seconds < 0.5 ? "none" : duration_text(seconds),
          fmt::format("{:.2f} %{}", 100 * seconds / all, remark)};
}

void add_played(const reliability::Job& job, double stepping, const RunPlan& plan, double expected, AnswerPart& part) {
  const reliability::Played p = reliability::play_runs(job, stepping, plan.played_runs, plan.seed);
  const std::string of =
      fmt::format("mean of {} random runs, seed {}", grouped_text(static_cast<double>(plan.played_runs)), plan.seed);
  part.figures.push_back({"played_mean_s", p.mean, "played", duration_text(p.mean),
                          fmt::format("{}; {:+.2f} standard errors", of,
                                      p.standard_error > 0 ? (p.mean - expected) / p.standard_error : 0)});
  part.figures.push_back({"played_standard_error_s", p.standard_error, "", ""});
  part.figures.push_back({"played_failures", p.failures, "", ""});
  part.figures.push_back({"played_p5_s", p.p5, "", ""});
  part.figures.push_back({"played_p50_s", p.p50, "", ""});
  part.figures.push_back({"played_p95_s", p.p95, "one in twenty takes", duration_text(p.p95), "or longer"});
}

}  // namespace

Result<LongRun> long_run_of(const reliability::Plan& run, Seconds stepping, const RunPlan& plan) {
  const auto training = static_cast<double>(stepping.value);
  reliability::Job job = run.job;
  if (run.steps == 0) job.interval = std::max(training, 1.0);  // nothing stops it
  const reliability::Losses l = reliability::losses_of_run(job, training);
  if (!std::isfinite(l.total()))
    return wrong_option("reliability", "such a run never ends: it fails before a checkpoint is written",
                        "shorten reliability.checkpoint.interval, or leave it out for the best one");
  const double all = l.total();
  LongRun result{whole_seconds(all), {"long_run", "With failures, checkpoints and restarts", {}}};
  std::vector<Figure>& f = result.part.figures;
  f.push_back({"goodput", l.goodput(), "training", fmt::format("{:.2f} %", 100 * l.goodput()),
               fmt::format("{} of {}", duration_text(training), duration_text(all))});
  f.push_back({"failures", l.failures, "failures", fmt::format("{:.3g}", l.failures),
               l.failures > 0 ? fmt::format("one every {}", duration_text(1 / job.rate())) : "none expected"});
  f.push_back(
      {"checkpoint_interval_s", job.interval, "checkpoint every", duration_text(job.interval),
       run.best ? "the best interval" : fmt::format("best: {}", duration_text(reliability::best_interval(job)))});
  f.push_back(share("checkpoints_s", "checkpoints", l.checkpoints, all,
                    fmt::format("; {} each", duration_text(run.checkpoint))));
  f.push_back(share("lost_s", "work done again", l.lost, all));
  f.push_back(share("restarts_s", "restarts", l.recovery, all));
  f.push_back(share("waiting_s", "waiting for nodes", l.waiting, all));
  if (plan.played_runs > 0) add_played(job, training, plan, all, result.part);
  return result;
}

}  // namespace orrery::planning
