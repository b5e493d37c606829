// Interleaved 1F1B whose steady forward and backward run as one overlapped operation (Megatron-LM,
// overlap_moe_expert_parallel_comm): one more warm-up forward, so that the two halves do not depend on each other.
#include <algorithm>

#include "schedule/kinds/interleave.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> interleaved_1f1b_overlap(const ScheduleRequest& request) {
  const InterleaveTable table(request, megatron_group(request));
  Schedule schedule = empty_schedule(request, looped_placement(request.ranks, request.chunks), false);
  const int passes = table.size();
  for (int rank = 0; rank < request.ranks; ++rank) {
    auto& order = schedule.order[at(rank)];
    order.reserve(2 * at(passes));
    const int warm_up = std::min(passes, 2 * (request.ranks - 1 - rank) + (request.chunks - 1) * table.group() + 1);
    for (int i = 0; i < warm_up; ++i) order.push_back(table.forward(rank, i));
    for (int i = warm_up; i < passes; ++i) {
      order.push_back(overlapped(table.forward(rank, i), table.backward(rank, i - warm_up)));
    }
    for (int i = passes - warm_up; i < passes; ++i) order.push_back(table.backward(rank, i));
  }
  schedule.warnings.push_back(group_warning(request, table.group()));
  return schedule;
}

}  // namespace orrery::schedule::kinds
