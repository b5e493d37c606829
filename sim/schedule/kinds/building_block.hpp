// V-shaped schedules from a repeated building block (Qi et al., "Pipeline Parallelism with Controllable Memory", 2024;
// zbv_greedy.py of sail-sg/zero-bubble-pipeline-parallelism). The order is made for F = I = W.
#pragma once
#include <functional>

#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

// Unit slots at which a rank runs the first micro-batch; micro-batch k follows 6k slots later.
struct BuildingBlock {
  int forward_down, forward_up, gradient_up, gradient_down;  // `down` is stage r, `up` is stage 2p-1-r
};

Result<Schedule> repeat_building_block(const ScheduleRequest& request,
                                       const std::function<BuildingBlock(int rank)>& block);

}  // namespace orrery::schedule::kinds
