// DualPipe (DeepSeek-V3 technical report, 2024): two copies of the model, half of the micro-batches entering at each
// end, forward of the one overlapped with the backward of the other.
#include <fmt/format.h>

#include <algorithm>

#include "schedule/kinds/dualpipe_rank.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> dualpipe(const ScheduleRequest& request) {
  const int p = request.ranks, m = request.micro_batches;
  if (p % 2 != 0)
    return refusal(fmt::format("dualpipe needs an even number of ranks, not {}", p), "dualpipev runs on any number");
  if (m % 2 != 0 || m < 2 * p) {
    return refusal(
        fmt::format("dualpipe needs an even number of micro-batches, at least {} (2 per rank), not {}", 2 * p, m));
  }
  Schedule schedule = empty_schedule(request, bidirectional_placement(p), true);
  for (int rank = 0; rank < p; ++rank) {
    const Stream down{rank, 0}, up{p - 1 - rank, 1};
    const bool first_half = rank < p / 2;
    append_dualpipe(schedule.order[at(rank)], p / 2, std::min(rank, p - 1 - rank), m / 2, first_half ? down : up,
                    first_half ? up : down);
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
