// 1F1B, PipeDream-Flush (Narayanan et al., 2021): p-1-r warm-up forwards, so that no rank holds more than p
// micro-batches. Fewer micro-batches than ranks clip the warm-up (Megatron-LM; PyTorch refuses them).
#include <algorithm>

#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> one_f_one_b(const ScheduleRequest& request) {
  Schedule schedule = empty_schedule(request, linear_placement(request.ranks), false);
  const int m = request.micro_batches;
  for (int rank = 0; rank < request.ranks; ++rank) {
    append_1f1b(schedule.order[at(rank)], rank, m, std::min(m, request.ranks - 1 - rank));
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
