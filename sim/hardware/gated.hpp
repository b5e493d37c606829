// A generated cluster whose nodes can be left and entered by the network above its leaves.
#pragma once
#include <memory>
#include <vector>

#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware {

class GatedTopology : public Topology {
 public:
  // Appends the links from the device to the leaf (or router) that its NIC is on, and the way back.
  virtual void to_leaf(DeviceId from, std::vector<LinkId>& out) const = 0;
  virtual void from_leaf(DeviceId to, std::vector<LinkId>& out) const = 0;
};

std::unique_ptr<GatedTopology> make_generated(const ClusterSpec& spec, int nodes);

// The pools of a cluster as one network (pools.cpp). The spec has been checked.
std::unique_ptr<Topology> make_pools(const ClusterSpec& spec);
void check_pools(const ClusterSpec& spec, Diagnostics& errors);

}  // namespace orrery::hardware
