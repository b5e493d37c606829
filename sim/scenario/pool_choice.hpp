// What of a model each pool of unlike GPUs takes: whose layers fit the memory there, and, where the placement is auto,
// which stages or replicas stand on it.
#pragma once
#include "orrery/hardware/topology.hpp"
#include "orrery/scenario/scenario.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::scenario {

// Of a scenario on pools: the placement, where it is auto, and what partition balanced goes by (Layout::speeds,
// Layout::most_layers).
//
// auto: pools take whole stages, the fastest as many as it has GPUs for, then the next; each in one stretch of the
// pipeline, in the order of pools in which the fewest layers are more than the memory of their stage holds, and of
// those the slowest stage is fastest. Where whole stages do not go into the pools, replicas do, again the fastest
// first.
Diagnostics choose_pools(Scenario& scenario, const schedule::Schedule& schedule, const hardware::Topology& topology);

// Of a stage, of one sequence.
WideFlops flops_of_stage(const Scenario& scenario, const layout::StageSpan& span);

}  // namespace orrery::scenario
