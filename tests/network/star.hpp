// A star of devices for tests: device d goes up on link 2d and comes down on 2d + 1, half of the latency each; nodes of
// a given size are scale-up domains, but all hops cost the same.
#pragma once
#include "orrery/hardware/topology.hpp"

namespace orrery::network::test {

class Star final : public hardware::Topology {
 public:
  Star(int devices, int per_node, Time latency, BytesPerSecond bandwidth) : devices_(devices), per_node_(per_node) {
    for (int i = 0; i < 2 * devices; ++i) {
      links_.push_back({bandwidth, Time{latency.value / 2}, hardware::LinkLevel::scale_up});
    }
  }
  int devices() const override { return devices_; }
  int devices_per_node() const override { return per_node_; }
  const std::vector<hardware::Link>& links() const override { return links_; }
  void route(hardware::DeviceId from, hardware::DeviceId to, std::vector<hardware::LinkId>& out) const override {
    if (from == to) return;
    out.push_back(2 * from);
    out.push_back(2 * to + 1);
  }
  bool same_domain(hardware::DeviceId a, hardware::DeviceId b) const override { return a / per_node_ == b / per_node_; }
  std::string link_name(hardware::LinkId link) const override { return std::to_string(link); }

 private:
  int devices_, per_node_;
  std::vector<hardware::Link> links_;
};

}  // namespace orrery::network::test
