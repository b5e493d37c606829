// Nodes of GPUs behind a switch each, a NIC for each GPU, one fabric: device d goes up to its switch on link 4d, down
// on 4d + 1, out of its NIC on 4d + 2 and in on 4d + 3; half of the latency of a hop each.
#pragma once
#include "orrery/hardware/topology.hpp"

namespace orrery::network::test {

class Nodes final : public hardware::Topology {
 public:
  Nodes(int nodes, int per_node, BytesPerSecond inside, BytesPerSecond between, Time hop_inside, Time hop_between)
      : devices_(nodes * per_node), per_node_(per_node) {
    using hardware::LinkLevel;
    const auto vertex = [](int number) { return static_cast<hardware::VertexId>(number); };
    for (int d = 0; d < devices_; ++d) {
      const auto gpu = vertex(d), own = vertex(devices_ + d / per_node), fabric = vertex(devices_ + nodes);
      const Time half{hop_inside.value / 2}, half_between{hop_between.value / 2};
      links_.push_back({inside, half, LinkLevel::scale_up, gpu, own});
      links_.push_back({inside, half, LinkLevel::scale_up, own, gpu});
      links_.push_back({between, half_between, LinkLevel::nic, gpu, fabric});
      links_.push_back({between, half_between, LinkLevel::nic, fabric, gpu});
    }
  }
  int devices() const override { return devices_; }
  int devices_per_node() const override { return per_node_; }
  const std::vector<hardware::Link>& links() const override { return links_; }
  void route(hardware::DeviceId from, hardware::DeviceId to, std::vector<hardware::LinkId>& out) const override {
    if (from == to) return;
    const int way = same_domain(from, to) ? 0 : 2;
    out.push_back(4 * from + way);
    out.push_back(4 * to + way + 1);
  }
  bool same_domain(hardware::DeviceId a, hardware::DeviceId b) const override { return a / per_node_ == b / per_node_; }
  std::string link_name(hardware::LinkId link) const override { return std::to_string(link); }

 private:
  int devices_, per_node_;
  std::vector<hardware::Link> links_;
};

}  // namespace orrery::network::test
