// What a whole training run takes, from one simulated step: steps, days, GPU hours, money, energy; beside it the rule
// of thumb 6·N·D over half of the peak.
#pragma once
#include <optional>

#include "orrery/planning/amounts.hpp"
#include "orrery/planning/answer.hpp"
#include "orrery/planning/glossary.hpp"

namespace orrery::planning {

struct RunPlan {
  double tokens = 0;
  // In place of what the GPU's YAML says; needed where it says nothing.
  std::optional<double> price_usd_per_hour{};
  std::optional<int> power_watts{};
  // What a run takes beside its steps; none unless said, and the answer says so.
  Seconds preparation{};              // GPUs rented, data not ready
  double evaluation_percent = 0;      // of the time of the steps
  double restarts_percent = 0;        // of the time of the steps: failures, work done again
  std::optional<Seconds> deadline{};  // refused where it cannot hold, with what to relax
  double efficiency = 0.5;            // of the rule of thumb
  double bytes_per_token = 4;         // of text
  // Of a scenario that says what stops it (section `reliability`, in place of restarts_percent): random runs beside the
  // expected one.
  std::int64_t played_runs = 0;
  std::uint64_t seed = 1;
};

Result<Answer> plan_run(const PlayedRun& run, const RunPlan& plan);

}  // namespace orrery::planning
