// What a report says of a run before anything of it is played.
#pragma once
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::scenario {

// Its size, the setting that readers compare runs by, where its inputs are from, and what its kernels lose.
void describe(report::RunResult& result, const Run& run, program::Costs& costs);

}  // namespace orrery::scenario
