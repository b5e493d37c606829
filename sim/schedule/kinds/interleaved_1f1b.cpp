// Megatron-LM's interleaved 1F1B (Narayanan et al., SC'21): looped chunks, 2(p-1-r) + (v-1)g warm-up forwards.
#include <algorithm>

#include "schedule/kinds/interleave.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> interleaved_1f1b(const ScheduleRequest& request) {
  const InterleaveTable table(request, megatron_group(request));
  Schedule schedule = empty_schedule(request, looped_placement(request.ranks, request.chunks), false);
  const int passes = table.size();
  for (int rank = 0; rank < request.ranks; ++rank) {
    auto& order = schedule.order[at(rank)];
    order.reserve(2 * at(passes));
    const int warm_up = std::min(passes, 2 * (request.ranks - 1 - rank) + (request.chunks - 1) * table.group());
    for (int i = 0; i < passes + warm_up; ++i) {
      if (i < passes) order.push_back(table.forward(rank, i));
      if (i >= warm_up) order.push_back(table.backward(rank, i - warm_up));
    }
  }
  schedule.warnings.push_back(group_warning(request, table.group()));
  return schedule;
}

}  // namespace orrery::schedule::kinds
