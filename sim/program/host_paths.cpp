#include "host_paths.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "orrery/network/flow.hpp"

namespace orrery::program {

HostPaths::HostPaths(const StepInput& input, const Ranks& ranks)
    : mode_(input.mode), topology_(input.topology), memory_(input.host.optimizer_bandwidth()) {
  std::vector<std::int32_t> all;
  std::map<std::int32_t, std::int64_t> on_node;
  const auto node_of = [&](std::int32_t r) {
    return input.placement[static_cast<std::size_t>(r)] / topology_->devices_per_node();
  };
  for (std::int32_t r = 0; r < ranks.count; ++r) all.push_back(r), ++on_node[node_of(r)];
  const std::vector<Way> to = ways(input, all, true), from = ways(input, all, false);
  std::map<std::tuple<double, double, std::int64_t, std::int64_t, std::int32_t, bool, bool>, std::int32_t> known;
  for (const std::int32_t r : all) {
    const auto i = static_cast<std::size_t>(r);
    const std::int64_t sharing = on_node[node_of(r)];
    const auto [it, fresh] = known.try_emplace({to[i].rate, from[i].rate, to[i].latency.value, sharing,
                                                mode_ == NetworkMode::flows ? r : 0, stands(to[i]), stands(from[i])},
                                               static_cast<std::int32_t>(to_.size()));
    class_.push_back(it->second);
    if (!fresh) continue;
    to_.push_back(to[i]), from_.push_back(from[i]);
    sharing_.push_back(sharing);
  }
}

std::vector<HostPaths::Way> HostPaths::ways(const StepInput& input, const std::vector<std::int32_t>& on,
                                            bool to_host) const {
  std::vector<Way> all(on.size());
  std::vector<network::Transfer> transfers;
  std::vector<hardware::LinkId> route;
  for (std::size_t i = 0; i < on.size(); ++i) {
    route.clear();
    topology_->host_route(input.placement[static_cast<std::size_t>(on[i])], to_host, route);
    check(!route.empty(), "a copy to a host that the network has not");
    std::sort(route.begin(), route.end());
    all[i].latency = input.host.copy_latency;
    for (const hardware::LinkId link : route) {
      all[i].uses.push_back({link, 1});
      all[i].latency += topology_->links()[static_cast<std::size_t>(link)].latency;
    }
    transfers.push_back({Bytes{1}, all[i].uses, {}, {}, 1, static_cast<std::int64_t>(i), 1});
  }
  std::vector<std::int32_t> limits;
  std::vector<double> rates;
  if (mode_ == NetworkMode::steady) {
    rates = network::steady_rates(topology_->links(), transfers, &limits);
  } else {  // each alone
    for (const network::Transfer& t : transfers)
      rates.push_back(network::steady_rates(topology_->links(), {&t, 1}).front());
    limits.assign(rates.size(), -1);
  }
  for (std::size_t i = 0; i < all.size(); ++i) all[i].rate = rates[i], all[i].limit = limits[i];
  return all;
}

bool HostPaths::stands(const Way& way) const {
  return any_stands(topology_->links(), way.uses);
}

CallCost HostPaths::copy(std::int32_t of_class, bool to_host, Bytes bytes) const {
  const Way& way = (to_host ? to_ : from_)[static_cast<std::size_t>(of_class)];
  const std::span<const hardware::Link> links = topology_->links();
  const network::Phase phase{way.latency, bytes, {}, way.uses, 1};
  const Time alone = network::unshared_time(phase, links);
  CallCost cost;
  cost.duration = mode_ == NetworkMode::steady ? network::time_at_rate(phase, way.rate, alone) : alone;
  cost.call = {Category::offload_comm,
               Collective::send_receive,
               cost.duration,
               alone,
               -1,
               0,
               stands(way),
               {bytes, bytes, bytes, bytes, alone - way.latency, false}};
  if (cost.duration > alone) cost.call.link = way.limit;
  if (mode_ == NetworkMode::flows) cost.transfer.phases.push_back(phase);
  return cost;
}

Time HostPaths::update(std::int32_t of_class, Bytes traffic) const {
  const Int128 bytes = Int128{traffic.value} * sharing_[static_cast<std::size_t>(of_class)] * kPicosecondsPerSecond;
  const Int128 time = (bytes + memory_.value - 1) / memory_.value;
  if (time > INT64_MAX) throw_overflow("time of an update on the host");
  return {static_cast<std::int64_t>(time)};
}

Diagnostics check_host_ways(const StepInput& input) {
  constexpr std::size_t kMost = 8;
  Diagnostics errors;
  if (!input.offload.any()) return errors;
  std::vector<hardware::LinkId> route;
  for (std::size_t r = 0; r < input.placement.size() && errors.size() < kMost; ++r)
    for (const bool to_host : {true, false}) {
      route.clear();
      input.topology->host_route(input.placement[r], to_host, route);
      if (!route.empty()) continue;
      Diagnostic error;
      error.path = "perturb";
      error.message = "no way between rank " + std::to_string(r) + " (" +
                      input.topology->vertex_name(input.placement[r]) +
                      ") and the memory of its host: what joins them is down";
      errors.push_back(std::move(error));
      break;
    }
  return errors;
}

}  // namespace orrery::program
