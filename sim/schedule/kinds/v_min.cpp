// V-Min: a third of 1F1B's activations (Qi et al., "Pipeline Parallelism with Controllable Memory", 2024).
#include "schedule/kinds/building_block.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> v_min(const ScheduleRequest& request) {
  const int p = request.ranks, wait = p % 3 == 0 ? 2 : 0;  // keeps the slots of one period apart
  return repeat_building_block(request, [=](int rank) {
    return BuildingBlock{rank, 2 * p - 1 - rank, 2 * p + wait + rank, 4 * p + wait - rank - 1};
  });
}

}  // namespace orrery::schedule::kinds
