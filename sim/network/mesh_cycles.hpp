// Rings on a mesh without a switch: as many closed walks over all members as its links allow side by side.
#pragma once
#include <vector>

#include "orrery/hardware/topology.hpp"

namespace orrery::network {

// Each walk in both directions. A DGX-1 with V100 gives 6 over 8 GPUs (as NCCL finds), a full mesh of 8 gives 6 of 7
// links. Where there is none, the members in order (hops then pass over GPUs between).
std::vector<std::vector<hardware::DeviceId>> mesh_cycles(const std::vector<hardware::DeviceId>& members,
                                                         const hardware::Topology& topology);

}  // namespace orrery::network
