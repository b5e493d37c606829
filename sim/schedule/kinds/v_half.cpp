// V-Half: half of 1F1B's activations (Qi et al., "Pipeline Parallelism with Controllable Memory", 2024).
#include "schedule/kinds/building_block.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> v_half(const ScheduleRequest& request) {
  const int p = request.ranks, wait = p % 2 == 0 ? 3 : 0;  // keeps the slots of one period apart
  return repeat_building_block(request, [=](int rank) {
    return BuildingBlock{2 * rank, 3 * p - rank - 2, 3 * p + wait + 2 * rank - 1, 6 * p + wait - rank - 2};
  });
}

}  // namespace orrery::schedule::kinds
