// ZB-H1 (Qi et al., "Zero Bubble Pipeline Parallelism", 2023): 1F1B's forwards and input gradients; the weight
// gradients of rank r lag r behind, so that all ranks hold p micro-batches.
#include <algorithm>

#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> zb_h1(const ScheduleRequest& request) {
  Schedule schedule = empty_schedule(request, linear_placement(request.ranks), true);
  const int m = request.micro_batches;
  for (int rank = 0; rank < request.ranks; ++rank) {
    auto& order = schedule.order[at(rank)];
    order.reserve(3 * at(m));
    const int warm_up = std::min(m, request.ranks - 1 - rank);
    for (int i = 0; i < warm_up; ++i) order.push_back(forward(rank, i));
    for (int j = 0; j < m; ++j) {
      if (warm_up + j < m) order.push_back(forward(rank, warm_up + j));
      order.push_back(input_gradient(rank, j));
      if (j >= rank) order.push_back(weight_gradient(rank, j - rank));
    }
    for (int j = std::max(0, m - rank); j < m; ++j) order.push_back(weight_gradient(rank, j));
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
