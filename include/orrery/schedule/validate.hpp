// Whether a schedule can run at all.
#pragma once
#include "orrery/layout/stage_graph.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::schedule {

// Everything wrong with the schedule; empty = it runs. Each stage and micro-batch is forwarded once and backwarded once
// (B, or I and later W) on the rank its placement says, and no rank waits for ever. Errors name rank, position and
// operation.
Diagnostics validate(const Schedule& schedule, const layout::StageGraph& stages);
Diagnostics validate(const Schedule& schedule);  // with stages in a chain

}  // namespace orrery::schedule
