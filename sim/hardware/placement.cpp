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
  constexpr const char* names[] = {"packed", "round_robin", "by_rail", "random", "explicit", "pools", "auto"};
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
    case PlacementKind::automatic:
      internal_error("place_ranks: the place of a rank on pools is for place_on_pools");
  }
  // A cluster whose last domain is cut short may lack the last places.
  if (const DeviceId most = *std::max_element(devices.begin(), devices.end()); most >= topology.devices())
    return wrong("placement", fmt::format("{} ranks in turn need {} devices, but there are {}", ranks, most + 1,
                                          topology.devices()));
  return devices;
}

namespace {

// The pools that each entry of a list names: one, or of a pipeline rank one for each of its replicas.
class PoolNames {
 public:
  PoolNames(const Placement& placement, const ClusterSpec& cluster)
      : by_stage_(!placement.stages.empty()), names_(by_stage_ ? placement.stages : placement.replicas) {
    for (const Pool& pool : cluster.pools) there_.push_back(pool.shown());
  }
  const char* key() const { return by_stage_ ? "placement.stages" : "placement.replicas"; }
  const std::string& name(std::size_t pool) const { return there_[pool]; }
  std::size_t pool_of(const PlaceInRun& place) const {
    const std::vector<std::size_t>& pools = pools_[static_cast<std::size_t>(by_stage_ ? place.stage : place.replica)];
    return pools.size() == 1 ? pools.front() : pools[static_cast<std::size_t>(place.replica)];
  }
  // What is wrong with the list for so many of each.
  Diagnostics read(int stages, int replicas) {
    const int entries = by_stage_ ? stages : replicas;
    if (static_cast<int>(names_.size()) != entries)
      return {wrong(
          key(), fmt::format("{} pools for {} {}", names_.size(), entries, by_stage_ ? "pipeline ranks" : "replicas"),
          "name the pool of each, in turn")};
    for (std::size_t i = 0; i < names_.size(); ++i)
      if (Diagnostics errors = read_entry(i, replicas); !errors.empty()) return errors;
    return {};
  }

 private:
  Diagnostics read_entry(std::size_t entry, int replicas) {
    std::vector<std::size_t>& pools = pools_.emplace_back();
    std::string rest = names_[entry];
    const std::string path = fmt::format("{}[{}]", key(), entry);
    for (std::size_t plus = 0; plus != std::string::npos;) {
      plus = by_stage_ ? rest.find('+') : std::string::npos;
      const std::string name = rest.substr(0, plus);
      const auto known = std::find(there_.begin(), there_.end(), name);
      if (known == there_.end())
        return {wrong(path, fmt::format("no pool is called '{}', there are {}", name, fmt::join(there_, ", ")),
                      did_you_mean(name, there_))};
      pools.push_back(static_cast<std::size_t>(known - there_.begin()));
      if (plus != std::string::npos) rest.erase(0, plus + 1);
    }
    if (pools.size() == 1 || static_cast<int>(pools.size()) == replicas) return {};
    return {wrong(path, fmt::format("{} pools for {} replicas", pools.size(), replicas),
                  "name one pool for the stage, or join one for each replica by +")};
  }

  bool by_stage_;
  const std::vector<std::string>& names_;
  std::vector<std::string> there_;
  std::vector<std::vector<std::size_t>> pools_;  // [entry]
};

}  // namespace

Result<std::vector<DeviceId>> place_on_pools(const Placement& placement, const std::vector<PlaceInRun>& places,
                                             const ClusterSpec& cluster) {
  if (cluster.pools.empty())
    return wrong("placement.type", "the cluster has no pools", "say cluster: {pools: […]}, or another placement");
  check(!places.empty(), "a run has ranks");
  int stages = 0, replicas = 0;
  for (const PlaceInRun& place : places)
    stages = std::max(stages, place.stage + 1), replicas = std::max(replicas, place.replica + 1);
  PoolNames names(placement, cluster);
  if (Diagnostics errors = names.read(stages, replicas); !errors.empty()) return errors;
  std::vector<DeviceId> next, end;
  for (const Pool& pool : cluster.pools) {
    next.push_back(end.empty() ? 0 : end.back());
    end.push_back(next.back() + pool.nodes * cluster.gpus_per_node);
  }
  std::vector<DeviceId> devices;
  for (const PlaceInRun& place : places) {
    const std::size_t pool = names.pool_of(place);
    if (next[pool] == end[pool])
      return wrong(names.key(),
                   fmt::format("pool {} has {} GPUs, fewer than the ranks that are put there", names.name(pool),
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
