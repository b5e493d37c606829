#include "orrery/network/collective.hpp"

#include <algorithm>

#include "orrery/network/flow.hpp"

namespace orrery::network {

Transfer transfer_of(const Phase& phase, std::int64_t tag) {
  return {phase.bytes, phase.links, phase.latency, phase.rate_cap, 1, tag, phase.divisor};
}

Time unshared_time(const Phase& phase, std::span<const hardware::Link> links) {
  return phase.latency + unshared_duration(transfer_of(phase, 0), links);
}

Time unshared_time(const CollectivePlan& plan, std::span<const hardware::Link> links) {
  Time total{};
  for (const Phase& phase : plan.phases) total += unshared_time(phase, links);
  return total;
}

Time time_at_rate(const Phase& phase, double rate, std::span<const hardware::Link> links) {
  const Time alone = unshared_time(phase, links);
  if (phase.bytes.value == 0 || !(rate > 0)) return alone;
  const double amount = static_cast<double>(phase.bytes.value) / phase.divisor;
  return std::max(alone, phase.latency + time_from_seconds(amount / rate));
}

}  // namespace orrery::network
