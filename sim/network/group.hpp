// The ranks of a call seen on the cluster: scale-up domains, orders around them, and the links that hops load.
#pragma once
#include <algorithm>
#include <span>
#include <vector>

#include "orrery/core/units.hpp"
#include "orrery/hardware/topology.hpp"
#include "orrery/network/link_use.hpp"

namespace orrery::network {

struct Domain {
  std::vector<hardware::DeviceId> members;  // in the order of the call
  std::vector<std::size_t> places;          // [member] in the call
  // Closed walks over all members that share no bandwidth: one behind a switch, more on meshes.
  std::vector<std::vector<hardware::DeviceId>> cycles;
};

class Group {
 public:
  Group(std::span<const hardware::DeviceId> members, const hardware::Topology& topology, bool near_nics = false);

  int size() const { return static_cast<int>(members_.size()); }
  int domain_count() const { return static_cast<int>(domains_.size()); }
  bool one_domain() const { return domains_.size() == 1; }
  std::span<const hardware::DeviceId> members() const { return members_; }
  const std::vector<Domain>& domains() const { return domains_; }
  const hardware::Topology& topology() const { return topology_; }
  // Members of the smallest domain: how many NICs' worth of channels the group can drive in parallel. With `near_nics`
  // (CollectiveCall) those of them that share a PCIe switch with another member, one if there are none.
  int channels() const { return channels_; }
  // A ring leaves a domain by the NIC through which it came.
  bool one_nic() const { return near_nics_ && channels_ == 1; }
  // The member that holds channel j's connections to other domains.
  hardware::DeviceId head(const Domain& domain, int channel) const;

 private:
  const hardware::Topology& topology_;
  std::vector<hardware::DeviceId> members_;
  std::vector<Domain> domains_;
  int channels_ = 0;
  bool near_nics_ = false;
};

// Collects the links of many hops, with multiplicities, and the slowest hop of each kind.
class HopLoads {
 public:
  explicit HopLoads(const hardware::Topology& topology) : topology_(topology) {}
  void hop(hardware::DeviceId from, hardware::DeviceId to, std::int32_t multiplicity = 1);
  void both_ways(hardware::DeviceId a, hardware::DeviceId b, std::int32_t multiplicity = 1) {
    hop(a, b, multiplicity);
    hop(b, a, multiplicity);
  }
  // One link by itself, and the latency of the hop it is part of.
  void link(hardware::LinkId id, std::int32_t multiplicity) {
    uses_.push_back({id, multiplicity});
    if (uses_.size() >= compact_at_) compact();
  }
  void scale_up_latency(Time latency) { scale_up_ = std::max(scale_up_, latency); }

  Time scale_up() const { return scale_up_; }
  Time network() const { return network_; }
  bool leaves_domain() const { return leaves_domain_; }
  std::vector<LinkUse> take();  // sorted by link, each once

 private:
  const hardware::Topology& topology_;
  std::vector<LinkUse> uses_;
  std::vector<hardware::LinkId> route_;
  void compact();

  std::size_t compact_at_ = 1 << 20;  // so that all pairs of thousands of ranks do not fill the memory
  Time scale_up_{}, network_{};
  bool leaves_domain_ = false;
};

}  // namespace orrery::network
