#include "communication.hpp"

#include <algorithm>

#include "orrery/network/max_min.hpp"

namespace orrery::program {
namespace {

// Rates of one phase of every group when all of them run at once (network.mode steady).
std::vector<double> steady_rates(const std::vector<const network::Phase*>& phases,
                                 std::span<const hardware::Link> links) {
  std::vector<BytesPerSecond> capacities;
  for (const hardware::Link& link : links) capacities.push_back(link.bandwidth);
  network::MaxMin system(capacities);
  std::vector<network::MaxMin::Id> ids;
  for (const network::Phase* phase : phases) {
    ids.push_back(phase == nullptr ? -1 : system.create(phase->links, 1, phase->rate_cap));
    if (phase != nullptr) system.enter(ids.back());
  }
  system.solve();
  std::vector<double> rates;
  for (const auto id : ids) rates.push_back(id < 0 ? 0.0 : system.rate(id));
  return rates;
}

Time at_rate(const network::Phase& phase, double rate) {
  if (phase.bytes.value == 0) return phase.latency;
  return phase.latency +
         time_from_seconds(static_cast<double>(phase.bytes.value) / static_cast<double>(phase.divisor) / rate);
}

}  // namespace

Bytes bytes_sent(Collective kind, Bytes size, std::int64_t members) {
  const std::int64_t n = members;
  if (n <= 1) return {};
  switch (kind) {
    case Collective::all_reduce:
      return {ceil_div(checked_mul(2 * (n - 1), size.value), n)};
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::all_to_all:
      return {ceil_div(checked_mul(n - 1, size.value), n)};
    case Collective::broadcast:
    case Collective::send_receive:
      return size;
  }
  internal_error("unknown collective");
}

const std::vector<CallCost>& Communication::costs(const Family& family, Collective kind, Bytes bytes) {
  const auto key = std::make_tuple(&family, kind, bytes.value);
  if (const auto it = cache_.find(key); it != cache_.end()) return it->second;
  return cache_.emplace(key, compute(family, kind, bytes)).first->second;
}

std::vector<CallCost> Communication::compute(const Family& family, Collective kind, Bytes bytes) const {
  const std::vector<hardware::Link>& links = plan_.topology.links();
  std::vector<network::CollectivePlan> plans;
  std::size_t most_phases = 0;
  std::vector<hardware::DeviceId> devices;
  for (const auto& group : family.groups) {
    devices.clear();
    for (const std::int32_t rank : group) devices.push_back(plan_.placement[static_cast<std::size_t>(rank)]);
    plans.push_back(devices.size() < 2 || bytes.value == 0
                        ? network::CollectivePlan{}
                        : network::plan_collective({kind, bytes, devices, {}, {}}, plan_.topology, plan_.tuning));
    most_phases = std::max(most_phases, plans.back().phases.size());
  }
  std::vector<CallCost> costs(plans.size());
  for (std::size_t k = 0; k < most_phases; ++k) {
    std::vector<const network::Phase*> phases;
    for (const auto& p : plans) phases.push_back(k < p.phases.size() ? &p.phases[k] : nullptr);
    const bool steady = plan_.mode == NetworkMode::steady;
    const std::vector<double> rates = steady ? steady_rates(phases, links) : std::vector<double>();
    for (std::size_t g = 0; g < phases.size(); ++g) {
      if (phases[g] == nullptr) continue;
      const Time alone = network::unshared_time(*phases[g], links);
      costs[g].duration += steady ? std::max(alone, at_rate(*phases[g], rates[g])) : alone;
      if (plan_.mode == NetworkMode::flows) costs[g].transfer.phases.push_back(*phases[g]);
    }
  }
  return costs;
}

}  // namespace orrery::program
