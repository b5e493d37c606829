// GPipe (Huang et al., 2019): all forwards, then all backwards. Backwards in the order of the forwards, as PyTorch has
// them; the paper's reversed order has the same makespan.
#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> gpipe(const ScheduleRequest& request) {
  Schedule schedule = empty_schedule(request, linear_placement(request.ranks), false);
  for (int rank = 0; rank < request.ranks; ++rank)
    append_1f1b(schedule.order[at(rank)], rank, request.micro_batches, request.micro_batches);
  return schedule;
}

}  // namespace orrery::schedule::kinds
