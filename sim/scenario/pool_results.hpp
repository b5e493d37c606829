// What each pool of a cluster of unlike nodes does in a step.
#pragma once
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::scenario {

// Of a run whose split of time and memory are made; empty where GPUs are alike.
std::vector<report::PoolResult> pool_results(const Run& run, const report::RunResult& result);

}  // namespace orrery::scenario
