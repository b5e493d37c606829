// ZB-H2 (Qi et al., "Zero Bubble Pipeline Parallelism", 2023): 2(p-r)-1 warm-up forwards; weight gradients lag 2r
// behind; no bubble within a rank's own span where F+I <= 2W and I <= F, at 2p-1 micro-batches on every rank.
#include <algorithm>

#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> zb_h2(const ScheduleRequest& request) {
  Schedule schedule = empty_schedule(request, linear_placement(request.ranks), true);
  const int m = request.micro_batches;
  for (int rank = 0; rank < request.ranks; ++rank) {
    auto& order = schedule.order[at(rank)];
    order.reserve(3 * at(m));
    const int warm_up = std::min(m, 2 * (request.ranks - rank) - 1), lag = 2 * rank;
    for (int i = 0; i < warm_up; ++i) order.push_back(forward(rank, i));
    for (int j = 0; j < m; ++j) {
      order.push_back(input_gradient(rank, j));
      if (j >= lag) order.push_back(weight_gradient(rank, j - lag));
      if (warm_up + j < m) order.push_back(forward(rank, warm_up + j));
    }
    for (int j = std::max(0, m - lag); j < m; ++j) order.push_back(weight_gradient(rank, j));
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
