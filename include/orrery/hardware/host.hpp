// The host of a node as a second place for the state of its GPUs: memory, how fast it is read and written, and what
// joins it to each GPU. Figures of a node; bandwidths of links are one direction.
#pragma once
#include "orrery/core/units.hpp"

namespace orrery::hardware {

// pcie: a slot a GPU, the same that carries its traffic to the NIC, below a switch whose way up others may share;
// c2c: NVLink-C2C of a Grace superchip, of the GPU alone.
enum class HostLink : std::uint8_t { pcie, c2c };

struct Host {
  Bytes memory{};                     // 0 = nothing is said of the hosts
  double usable_share = 0.9;          // of it: the system, the data loader and what pages stay free for; estimate
  BytesPerSecond memory_bandwidth{};  // of all sockets, as their channels have it
  double memory_efficiency = 0.45;    // of it an optimizer reaches; see topologies/README.md
  int cores = 0;                      // of all sockets
  BytesPerSecond core_bandwidth{12'000'000'000};  // that one core can ask for; see topologies/README.md
  HostLink link = HostLink::pcie;
  BytesPerSecond link_bandwidth{};  // 0 = pcie_bandwidth of the cluster
  double copy_efficiency = 0.88;    // of the link that copies from and to pinned memory reach; the same place
  Time copy_latency{10'000'000};    // of one copy
  int gpus_per_uplink = 1;          // GPUs below one PCIe switch, who share its way to the host
  friend bool operator==(const Host&, const Host&) = default;

  bool known() const { return memory.value > 0; }
  Bytes usable() const { return {static_cast<std::int64_t>(static_cast<double>(memory.value) * usable_share)}; }
  // Bytes per second that `ranks` of a node read and write together in an optimizer that runs on its cores.
  BytesPerSecond optimizer_bandwidth() const;
};

}  // namespace orrery::hardware
