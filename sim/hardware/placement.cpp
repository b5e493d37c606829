#include "orrery/hardware/placement.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "orrery/core/random.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery::hardware {
namespace {

Diagnostic wrong(std::string path, std::string message, std::string help = {}) {
  Diagnostic error;
  error.path = std::move(path);
  error.message = std::move(message);
  error.help = std::move(help);
  return error;
}

// Rank r at place r / blocks of block r mod blocks; blocks of `size` devices.
std::vector<DeviceId> dealt(int ranks, int size) {
  const auto blocks = static_cast<int>(ceil_div(ranks, size));
  std::vector<DeviceId> devices(static_cast<std::size_t>(ranks));
  for (int r = 0; r < ranks; ++r) devices[static_cast<std::size_t>(r)] = r % blocks * size + r / blocks;
  return devices;
}

int domain_size(const Topology& topology) {
  int size = 1;
  while (size < topology.devices() && topology.same_domain(0, size)) ++size;
  return size;
}

Result<std::vector<DeviceId>> listed(const std::vector<DeviceId>& devices, int ranks, int available) {
  Diagnostics errors;
  if (static_cast<int>(devices.size()) != ranks)
    errors.push_back(
        wrong("placement.devices", fmt::format("must list {} devices, one a rank, not {}", ranks, devices.size())));
  std::vector<char> taken(static_cast<std::size_t>(available));
  for (std::size_t r = 0; r < devices.size(); ++r) {
    const std::string path = fmt::format("placement.devices[{}]", r);
    if (devices[r] < 0 || devices[r] >= available)
      errors.push_back(wrong(path, fmt::format("must be a device from 0 to {}, got {}", available - 1, devices[r])));
    else if (taken[static_cast<std::size_t>(devices[r])]++ != 0)
      errors.push_back(wrong(path, fmt::format("device {} has a rank already", devices[r])));
  }
  if (!errors.empty()) return errors;
  return devices;
}

}  // namespace

const char* name_of(PlacementKind kind) {
  constexpr const char* names[] = {"packed", "round_robin", "by_rail", "random", "explicit", "pools"};
  return names[static_cast<std::size_t>(kind)];
}

Result<std::vector<DeviceId>> place_ranks(const Placement& placement, int ranks, const Topology& topology) {
  if (ranks < 1 || ranks > topology.devices())
    return wrong("placement", fmt::format("{} ranks do not fit on {} devices", ranks, topology.devices()));
  std::vector<DeviceId> devices(static_cast<std::size_t>(ranks));
  std::iota(devices.begin(), devices.end(), 0);
  switch (placement.kind) {
    case PlacementKind::packed:
      break;
    case PlacementKind::by_rail:
      devices = dealt(ranks, topology.devices_per_node());
      break;
    case PlacementKind::round_robin:
      devices = dealt(ranks, domain_size(topology));
      break;
    case PlacementKind::random:
      Random(placement.seed).shuffle(devices);
      break;
    case PlacementKind::custom:
      return listed(placement.devices, ranks, topology.devices());
    case PlacementKind::on_pools:
      internal_error("place_ranks: the place of a rank on pools is for place_on_pools");
  }
  // A cluster whose last domain is cut short may lack the last places.
  if (const DeviceId most = *std::max_element(devices.begin(), devices.end()); most >= topology.devices())
    return wrong("placement", fmt::format("{} ranks in turn need {} devices, but there are {}", ranks, most + 1,
                                          topology.devices()));
  return devices;
}

Result<std::vector<DeviceId>> place_on_pools(const Placement& placement, const std::vector<int>& place,
                                             const ClusterSpec& cluster) {
  if (cluster.pools.empty())
    return wrong("placement.type", "the cluster has no pools", "say cluster: {pools: […]}, or another placement");
  const bool by_stage = !placement.stages.empty();
  const std::vector<std::string>& names = by_stage ? placement.stages : placement.replicas;
  const char* key = by_stage ? "placement.stages" : "placement.replicas";
  check(!place.empty(), "a run has ranks");
  const int places = *std::max_element(place.begin(), place.end()) + 1;
  if (static_cast<int>(names.size()) != places)
    return wrong(key, fmt::format("{} pools for {} {}", names.size(), places, by_stage ? "pipeline ranks" : "replicas"),
                 "name the pool of each, in turn");
  std::vector<std::string> there;
  for (const Pool& pool : cluster.pools) there.push_back(pool.shown());
  std::vector<int> pools;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto known = std::find(there.begin(), there.end(), names[i]);
    if (known == there.end())
      return wrong(fmt::format("{}[{}]", key, i),
                   fmt::format("no pool is called '{}', there are {}", names[i], fmt::join(there, ", ")),
                   did_you_mean(names[i], there));
    pools.push_back(static_cast<int>(known - there.begin()));
  }
  std::vector<DeviceId> next, end;
  for (const Pool& pool : cluster.pools) {
    next.push_back(end.empty() ? 0 : end.back());
    end.push_back(next.back() + pool.nodes * cluster.gpus_per_node);
  }
  std::vector<DeviceId> devices;
  for (const int of : place) {
    const auto pool = static_cast<std::size_t>(pools[static_cast<std::size_t>(of)]);
    if (next[pool] == end[pool])
      return wrong(key,
                   fmt::format("pool {} has {} GPUs, fewer than the ranks that are put there", there[pool],
                               cluster.pools[pool].nodes * cluster.gpus_per_node),
                   "give it more nodes, or put some elsewhere");
    devices.push_back(next[pool]++);
  }
  return devices;
}

Diagnostics check_running(const ClusterSpec& spec, const std::vector<DeviceId>& placement) {
  Diagnostics errors;
  for (std::size_t i = 0; i < spec.perturb.size(); ++i) {
    const Perturbation& p = spec.perturb[i];
    if (!p.down || p.passes() || !p.link.empty()) continue;
    std::string ranks;
    int count = 0;
    for (std::size_t rank = 0; rank < placement.size(); ++rank) {
      const bool on_it = p.device >= 0 ? placement[rank] == p.device : placement[rank] / spec.gpus_per_node == p.node;
      if (on_it && ++count <= 16) ranks += fmt::format("{}{}", ranks.empty() ? "" : ", ", rank);
    }
    if (count == 0) continue;
    Diagnostic error =
        wrong(fmt::format("perturb[{}].{}", i, p.device >= 0 ? "device" : "node"),
              fmt::format("{} {} is down, and rank{} {}{} would run on it", p.device >= 0 ? "GPU" : "node",
                          p.device >= 0 ? p.device : p.node, count == 1 ? "" : "s", ranks, count > 16 ? ", …" : ""));
    error.help = "leave it out: a cluster with spare nodes and placement: {type: explicit, devices: […]}";
    errors.push_back(std::move(error));
  }
  return errors;
}

}  // namespace orrery::hardware
