// Chimera (Li and Hoefler, SC'21), direct concatenation: two 1F1B pipelines of p micro-batches together fill each
// other's gaps; units of p follow one another without waiting.
#include <fmt/format.h>

#include <algorithm>

#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {
namespace {

struct Slot {
  int at;
  Operation operation;
};

// Unit slots of the figures: a forward and a backward take one each. Pipe 0 reaches rank r after r slots and comes back
// 2p-1-r after it entered; pipe 1 is its mirror image.
std::vector<Slot> slots_of(int p, int rank, int micro_batches) {
  std::vector<Slot> slots;
  slots.reserve(4 * at(micro_batches));
  const int mirror = p - 1 - rank;
  for (int k = 0; k < micro_batches; ++k) {
    const int unit = k / (p / 2), enters = 2 * p * unit + 2 * (k % (p / 2));
    slots.push_back({enters + rank, forward(rank, k, 0)});
    slots.push_back({enters + 2 * p - 1 - rank, backward(rank, k, 0)});
    slots.push_back({enters + mirror, forward(mirror, k, 1)});
    slots.push_back({enters + 2 * p - 1 - mirror, backward(mirror, k, 1)});
  }
  std::stable_sort(slots.begin(), slots.end(), [](const Slot& a, const Slot& b) { return a.at < b.at; });
  return slots;
}

}  // namespace

Result<Schedule> chimera(const ScheduleRequest& request) {
  const int p = request.ranks, m = request.micro_batches;
  if (p % 2 != 0) return refusal(fmt::format("chimera needs an even number of ranks, not {}", p));
  if (m % p != 0)
    return refusal(fmt::format("chimera needs micro-batches in a multiple of the {} ranks, not {}", p, m));
  Schedule schedule = empty_schedule(request, bidirectional_placement(p), false);
  for (int rank = 0; rank < p; ++rank) {
    for (const Slot& slot : slots_of(p, rank, m / 2)) schedule.order[at(rank)].push_back(slot.operation);
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
