#include "orrery/hardware/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "orrery/core/random.hpp"

namespace orrery::hardware {
namespace {

Diagnostic wrong(std::string path, std::string message) {
  Diagnostic error;
  error.path = std::move(path);
  error.message = std::move(message);
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
  constexpr const char* names[] = {"packed", "round_robin", "by_rail", "random", "explicit"};
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
  }
  // A cluster whose last domain is cut short may lack the last places.
  if (const DeviceId most = *std::max_element(devices.begin(), devices.end()); most >= topology.devices())
    return wrong("placement", fmt::format("{} ranks in turn need {} devices, but there are {}", ranks, most + 1,
                                          topology.devices()));
  return devices;
}

Diagnostics check_running(const ClusterSpec& spec, const std::vector<DeviceId>& placement) {
  Diagnostics errors;
  for (std::size_t i = 0; i < spec.perturb.size(); ++i) {
    const Perturbation& p = spec.perturb[i];
    if (!p.down || !p.link.empty()) continue;
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
