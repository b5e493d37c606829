// The cluster's network as flat arrays: directed links and routes between devices (GPUs).
//
// Device d is GPU d % gpus_per_node of node d / gpus_per_node. Every physical cable is two links, one a direction.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "orrery/core/units.hpp"

namespace orrery::hardware {

using DeviceId = std::int32_t;
using LinkId = std::int32_t;

// What a link is part of; reports and counters of utilisation speak by level.
enum class LinkLevel : std::uint8_t { scale_up, nic, leaf, spine, core, other };

struct Link {
  BytesPerSecond bandwidth{};
  Time latency{};
  LinkLevel level = LinkLevel::other;
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
  // True when the devices are in one scale-up domain (NVLink/NVSwitch, xGMI mesh).
  virtual bool same_domain(DeviceId a, DeviceId b) const = 0;
  virtual std::string link_name(LinkId link) const = 0;
};

}  // namespace orrery::hardware
