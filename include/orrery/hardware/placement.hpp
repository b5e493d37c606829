// Which device a rank runs on.
#pragma once
#include <cstdint>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/hardware/cluster.hpp"
#include "orrery/hardware/topology.hpp"

namespace orrery::hardware {

// n ranks take the first devices, in whole nodes (round_robin: in whole scale-up domains) but for the last:
//   packed       rank r on device r: nodes are filled one after the other
//   by_rail      all GPU 0s of the nodes, then all GPU 1s, …: neighbouring ranks are on one rail
//   round_robin  dealt out over the scale-up domains; the same as by_rail where a domain is a node
//   random       the packed devices, shuffled by the seed
//   custom       the devices as listed, one a rank
//   on_pools     the next device of the pool that its pipeline rank or its replica is given
//   automatic    on_pools, chosen for the run (scenario/pool_choice.hpp)
enum class PlacementKind : std::uint8_t { packed, round_robin, by_rail, random, custom, on_pools, automatic };

// As scenarios and reports say it; `explicit` for custom.
const char* name_of(PlacementKind kind);

struct Placement {
  PlacementKind kind = PlacementKind::packed;
  std::uint64_t seed = 0;
  std::vector<DeviceId> devices{};  // custom
  // on_pools, one of the two: [pipeline rank] or [replica] the name of its pool; of a pipeline rank whose replicas
  // stand on several, those of each in turn, joined by +.
  std::vector<std::string> stages{}, replicas{};
};

// Device of each rank; every device at most once. Errors name `placement` and the like.
Result<std::vector<DeviceId>> place_ranks(const Placement& placement, int ranks, const Topology& topology);
// on_pools, with the place of each rank in the run.
struct PlaceInRun {
  int stage = 0, replica = 0;  // pipeline rank, data-parallel rank
};
Result<std::vector<DeviceId>> place_on_pools(const Placement& placement, const std::vector<PlaceInRun>& places,
                                             const ClusterSpec& cluster);

// An error for each perturbation that takes down a device with a rank on it; it names the ranks.
Diagnostics check_running(const ClusterSpec& spec, const std::vector<DeviceId>& placement);

}  // namespace orrery::hardware
