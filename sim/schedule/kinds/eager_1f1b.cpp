// Eager 1F1B: 1F1B with 2(p-1-r)+1 warm-up forwards, so that messages have a slot of slack each way. As fast as 1F1B
// without latency, hides latency up to (F+B)/2, holds about twice the activations.
#include <algorithm>

#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> eager_1f1b(const ScheduleRequest& request) {
  Schedule schedule = empty_schedule(request, linear_placement(request.ranks), false);
  const int m = request.micro_batches;
  for (int rank = 0; rank < request.ranks; ++rank) {
    append_1f1b(schedule.order[at(rank)], rank, m, std::min(m, 2 * (request.ranks - 1 - rank) + 1));
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
