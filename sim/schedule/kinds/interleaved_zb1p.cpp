// Interleaved ZB-1P (PyTorch's ScheduleInterleavedZeroBubble): the interleaved table with half of 1F1B's warm-up, split
// backward, and weight gradients that lag r behind on rank r.
#include <algorithm>

#include "schedule/kinds/interleave.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> interleaved_zb1p(const ScheduleRequest& request) {
  const InterleaveTable table(request, torch_group(request));
  Schedule schedule = empty_schedule(request, looped_placement(request.ranks, request.chunks), true);
  const int passes = table.size();
  for (int rank = 0; rank < request.ranks; ++rank) {
    auto& order = schedule.order[at(rank)];
    order.reserve(3 * at(passes));
    const int warm_up = std::min(passes, request.ranks - 1 - rank + (request.chunks - 1) * table.group());
    for (int i = 0; i < warm_up; ++i) order.push_back(table.forward(rank, i));
    for (int j = 0; j < passes; ++j) {
      if (warm_up + j < passes) order.push_back(table.forward(rank, warm_up + j));
      order.push_back(table.backward(rank, j, OpKind::input_gradient));
      if (j >= rank) order.push_back(table.backward(rank, j - rank, OpKind::weight_gradient));
    }
    for (int j = std::max(0, passes - rank); j < passes; ++j) {
      order.push_back(table.backward(rank, j, OpKind::weight_gradient));
    }
  }
  schedule.warnings.push_back(group_warning(request, table.group()));
  return schedule;
}

}  // namespace orrery::schedule::kinds
