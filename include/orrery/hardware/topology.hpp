// The cluster's network as flat arrays: directed links and routes between devices (GPUs).
//
// Device d is GPU d % gpus_per_node of node d / gpus_per_node. Every physical cable is two links, one a direction:
// links 2c and 2c + 1, so that link ^ 1 is the way back. Vertices of the graph are the devices first, then NICs and
// switches.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "orrery/core/units.hpp"

namespace orrery::hardware {

using DeviceId = std::int32_t;
using LinkId = std::int32_t;
using VertexId = std::int32_t;

// What a link is part of; reports and counters of utilisation speak by level. scale_up: NVLink, xGMI, PCIe between
// GPUs; nic: NIC to its first switch; leaf: leaf to spine, or within a dragonfly group or torus; spine: spine to core;
// core: between dragonfly groups; other: PCIe between GPU and NIC, and links of an explicit graph that name no level.
enum class LinkLevel : std::uint8_t { scale_up, nic, leaf, spine, core, other };

struct Link {
  BytesPerSecond bandwidth{};
  Time latency{};
  LinkLevel level = LinkLevel::other;
  VertexId from = -1;
  VertexId to = -1;
  bool stands = false;  // down for a part of the step: what crosses it waits (while_perturbed)
};

// Immutable once built; routes are computed by the generator's rule or looked up, never searched per call on generated
// fabrics, so 100 000 devices cost no quadratic table.
class Topology {
 public:
  virtual ~Topology() = default;
  virtual int devices() const = 0;
  virtual int devices_per_node() const = 0;
  virtual const std::vector<Link>& links() const = 0;
  // Appends the links from one device to another, in order; nothing when they are the same.
  virtual void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const = 0;
  // True when the devices are in one scale-up domain (NVLink/NVSwitch, xGMI mesh, PCIe of one node).
  virtual bool same_domain(DeviceId a, DeviceId b) const = 0;
  virtual std::string link_name(LinkId link) const = 0;

  virtual int vertices() const { return devices(); }
  virtual std::string vertex_name(VertexId vertex) const { return std::string("gpu").append(std::to_string(vertex)); }
  // The `choice`-th equal route where the fabric has several (choice 0 is `route`); a fabric without any ignores it.
  virtual void alternative_route(DeviceId from, DeviceId to, std::uint32_t /*choice*/, std::vector<LinkId>& out) const {
    route(from, to, out);
  }
  // False when links or devices that are down leave no way (see perturb.hpp); `route` must not be asked then.
  virtual bool connected(DeviceId /*from*/, DeviceId /*to*/) const { return true; }
  // Appends the links from a device to the memory of its host, or from there; nothing where the network has no hosts.
  virtual void host_route(DeviceId /*device*/, bool /*to_host*/, std::vector<LinkId>& /*out*/) const {}
};

}  // namespace orrery::hardware
