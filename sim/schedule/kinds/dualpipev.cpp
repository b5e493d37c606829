// DualPipeV (deepseek-ai/DualPipe; Qi et al., "cut in half"): DualPipe folded at its middle onto half of the ranks, one
// copy of the model with two chunks a rank in a V.
#include <fmt/format.h>

#include "schedule/kinds/dualpipe_rank.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> dualpipev(const ScheduleRequest& request) {
  const int p = request.ranks, m = request.micro_batches;
  if (m < 2 * p)
    return refusal(fmt::format("dualpipev needs at least {} micro-batches (one per stage), not {}", 2 * p, m));
  Schedule schedule = empty_schedule(request, v_placement(p), true);
  for (int rank = 0; rank < p; ++rank) {
    append_dualpipe(schedule.order[at(rank)], p, rank, m, {rank, 0}, {2 * p - 1 - rank, 0});
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
