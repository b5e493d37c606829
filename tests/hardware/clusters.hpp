// Small clusters for tests, written out so that expected routes can be derived by hand.
#pragma once
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware::testing {

inline BytesPerSecond gigabytes(std::int64_t n) {
  return {n * 1'000'000'000};
}
inline Time nanoseconds(std::int64_t n) {
  return {n * 1000};
}

// Nodes of 8 GPUs on an NVSwitch (450 GB/s), one 50 GB/s NIC a GPU, rail-optimised tree of 64-port switches: a DGX H100
// SuperPOD with units of 32 nodes.
inline ClusterSpec superpod() {
  ClusterSpec spec;
  spec.name = "superpod";
  spec.nodes = 1 << 17;
  spec.gpus_per_node = 8;
  spec.scale_up = {ScaleUpKind::switched, gigabytes(450), nanoseconds(901), true, 1};
  spec.pcie_bandwidth = gigabytes(63);
  spec.scale_out.nics_per_node = 8;
  spec.scale_out.nic_bandwidth = gigabytes(50);
  spec.scale_out.nic_latency = nanoseconds(1000);
  spec.scale_out.switch_latency = nanoseconds(130);
  spec.scale_out.fabric = FabricKind::fat_tree;
  spec.scale_out.fat_tree.leaves_per_unit = 8;
  return spec;
}

inline std::unique_ptr<Topology> built(const ClusterSpec& spec, int nodes) {
  auto topology = build_topology(spec, nodes);
  if (!topology) FAIL(render(topology.errors()));
  return std::move(topology).value();
}

inline std::vector<LinkId> route(const Topology& topology, DeviceId from, DeviceId to) {
  std::vector<LinkId> links;
  topology.route(from, to, links);
  return links;
}

// "a->b b->c …"
inline std::string spelled(const Topology& topology, const std::vector<LinkId>& links) {
  std::string text;
  for (const LinkId id : links) text += (text.empty() ? "" : " ") + topology.link_name(id);
  return text;
}
inline std::string route_text(const Topology& topology, DeviceId from, DeviceId to) {
  return spelled(topology, route(topology, from, to));
}

inline Time latency(const Topology& topology, DeviceId from, DeviceId to) {
  Time sum{};
  for (const LinkId id : route(topology, from, to)) sum += topology.links()[static_cast<std::size_t>(id)].latency;
  return sum;
}

}  // namespace orrery::hardware::testing
