// The part of a plan on failures, checkpoints and restarts, of a scenario that has a section `reliability`.
#pragma once
#include "orrery/planning/run_plan.hpp"

namespace orrery::planning {

// Real time of so many seconds of steps, and where it goes; with RunPlan::played_runs, beside it, how it came out of so
// many random runs.
struct LongRun {
  Seconds time{};
  AnswerPart part;
};
// An error where such a run never ends.
Result<LongRun> long_run_of(const reliability::Plan& run, Seconds stepping, const RunPlan& plan);

}  // namespace orrery::planning
