// Breadth-first pipeline (Lamy-Poirier, "Breadth-First Pipeline Parallelism", 2022): each chunk forwards all
// micro-batches before the next chunk begins. Backwards run in reversed micro-batch order, as in PyTorch's
// ScheduleLoopedBFS.
#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

Result<Schedule> looped_bfs(const ScheduleRequest& request) {
  Schedule schedule = empty_schedule(request, looped_placement(request.ranks, request.chunks), false);
  const int p = request.ranks, v = request.chunks, m = request.micro_batches;
  for (int rank = 0; rank < p; ++rank) {
    auto& order = schedule.order[at(rank)];
    order.reserve(2 * at(v) * at(m));
    for (int chunk = 0; chunk < v; ++chunk) {
      for (int k = 0; k < m; ++k) order.push_back(forward(chunk * p + rank, k));
    }
    for (int chunk = v - 1; chunk >= 0; --chunk) {
      for (int k = m - 1; k >= 0; --k) order.push_back(backward(chunk * p + rank, k));
    }
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
