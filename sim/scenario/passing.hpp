// What is slow or down for a part of the step: the perturbations that have a beginning or an end.
#pragma once
#include "orrery/scenario/simulate.hpp"
#include "places.hpp"

namespace orrery::scenario {

// The stretches of the step between all beginnings and ends, and what is so in each.
program::Passing passing_of(const hardware::ClusterSpec& cluster, const Places& places);

// What each of them does to a run that has been played: the step is played once more without it (RunOptions::what_if).
std::vector<report::Fault> faults_of(const Run& run, const RunOptions& options, report::RunResult& played);

}  // namespace orrery::scenario
