// ZB-V (Qi et al., 2023), the handcrafted order (PyTorch's ScheduleZBVZeroBubble): no bubble within a rank's own span
// where F = I = W, at the memory of 1F1B's first rank on every rank. Written for at least 2p-1 micro-batches; of fewer,
// those that do not exist are left out.
#include <algorithm>

#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {
namespace {

// Counts the micro-batches of one chunk through F, I and W, and drops those past m.
class Chunk {
 public:
  Chunk(std::vector<Operation>& order, int stage, int micro_batches)
      : order_(order), stage_(stage), m_(micro_batches) {}
  void f() { put(forward(stage_, forwards++)); }
  void i() { put(input_gradient(stage_, gradients++)); }
  void w() { put(weight_gradient(stage_, weights++)); }
  int forwards = 0, gradients = 0, weights = 0;

 private:
  void put(const Operation& operation) {
    if (operation.micro_batch < m_) order_.push_back(operation);
  }
  std::vector<Operation>& order_;
  int stage_, m_;
};

void append_rank(std::vector<Operation>& order, int p, int rank, int m) {
  const int most = std::max(m, 2 * p - 1), after = p - rank;
  order.reserve(6 * at(most));
  Chunk a(order, rank, m), z(order, 2 * p - 1 - rank, m);
  for (int n = 0; n < 2 * after - 1; ++n) a.f();
  for (int n = 0; n < rank; ++n) z.f(), a.f();
  for (int n = 0; n < after; ++n) z.f(), z.i(), z.w();
  while (z.forwards < a.forwards || a.forwards < most) {
    if (a.forwards < most) a.f();
    a.i(), a.w();
    z.f(), z.i(), z.w();
  }
  for (int n = 0; n < rank; ++n) a.i(), z.i();
  for (int n = 0; n < after; ++n) a.i(), a.w();
  while (z.weights < most) z.w();
  while (a.weights < most) a.w();
}

}  // namespace

Result<Schedule> zbv(const ScheduleRequest& request) {
  Schedule schedule = empty_schedule(request, v_placement(request.ranks), true);
  for (int rank = 0; rank < request.ranks; ++rank) {
    append_rank(schedule.order[at(rank)], request.ranks, rank, request.micro_batches);
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
