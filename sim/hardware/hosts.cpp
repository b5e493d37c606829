// The way from a GPU to the memory of its host. PCIe: the GPU's slot, which is the link to its NIC (or to the root,
// where GPUs talk over PCIe) if the network has one, the switch, and the way up from there, which `gpus_per_uplink`
// GPUs share. NVLink-C2C: a link of its own.
#include "hosts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "fabric.hpp"

namespace orrery::hardware {

BytesPerSecond Host::optimizer_bandwidth() const {
  const auto of_memory = static_cast<std::int64_t>(static_cast<double>(memory_bandwidth.value) * memory_efficiency);
  return cores == 0 ? BytesPerSecond{of_memory}
                    : BytesPerSecond{std::min(of_memory, checked_mul(cores, core_bandwidth.value))};
}

namespace {

class WithHosts final : public Topology {
 public:
  WithHosts(std::unique_ptr<Topology> network, const ClusterSpec& spec)
      : network_(std::move(network)),
        per_node_(network_->devices_per_node()),
        uplinks_(static_cast<int>(ceil_div(per_node_, spec.host.gpus_per_uplink))),
        links_(network_->links()),
        memory0_(network_->vertices()),
        switch0_(memory0_ + nodes()) {
    to_host_.resize(static_cast<std::size_t>(devices()));
    const Host& host = spec.host;
    const BytesPerSecond slot = host.link_bandwidth.value > 0 ? host.link_bandwidth : spec.pcie_bandwidth;
    const BytesPerSecond reached{
        std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(slot.value) * host.copy_efficiency))};
    if (host.link == HostLink::c2c) {
      for (DeviceId d = 0; d < devices(); ++d) ways(d).push_back(add_cable(d, memory0_ + d / per_node_, reached));
      vertices_ = switch0_;
      return;
    }
    vertices_ = switch0_ + nodes() * uplinks_;
    find_slots(slot, host.gpus_per_uplink);
    for (int u = 0; u < nodes() * uplinks_; ++u) {
      const LinkId up = add_cable(switch0_ + u, memory0_ + u / uplinks_, reached);
      for (int i = 0; i < host.gpus_per_uplink && u % uplinks_ * host.gpus_per_uplink + i < per_node_; ++i)
        ways(u / uplinks_ * per_node_ + u % uplinks_ * host.gpus_per_uplink + i).push_back(up);
    }
  }

  int devices() const override { return network_->devices(); }
  int devices_per_node() const override { return per_node_; }
  const std::vector<Link>& links() const override { return links_; }
  void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const override { network_->route(from, to, out); }
  bool same_domain(DeviceId a, DeviceId b) const override { return network_->same_domain(a, b); }
  std::string link_name(LinkId link) const override {
    if (static_cast<std::size_t>(link) < network_->links().size()) return network_->link_name(link);
    const Link& of = links_.at(static_cast<std::size_t>(link));
    return vertex_name(of.from) + "->" + vertex_name(of.to);
  }
  int vertices() const override { return vertices_; }
  std::string vertex_name(VertexId v) const override {
    if (v < memory0_) return network_->vertex_name(v);
    if (v < switch0_) return fmt::format("node{}.cpu", v - memory0_);
    return fmt::format("node{}.pcie{}", (v - switch0_) / uplinks_, (v - switch0_) % uplinks_);
  }
  void alternative_route(DeviceId from, DeviceId to, std::uint32_t choice, std::vector<LinkId>& out) const override {
    network_->alternative_route(from, to, choice, out);
  }
  bool connected(DeviceId from, DeviceId to) const override { return network_->connected(from, to); }
  void host_route(DeviceId device, bool to_host, std::vector<LinkId>& out) const override {
    const std::vector<LinkId>& way = to_host_.at(static_cast<std::size_t>(device));
    if (to_host) out.insert(out.end(), way.begin(), way.end());
    for (auto link = way.rbegin(); !to_host && link != way.rend(); ++link) out.push_back(*link ^ 1);
  }

 private:
  int nodes() const { return network_->devices() / per_node_; }
  std::vector<LinkId>& ways(DeviceId d) { return to_host_[static_cast<std::size_t>(d)]; }
  LinkId add_cable(VertexId from, VertexId to, BytesPerSecond bandwidth) {
    const auto id = static_cast<LinkId>(links_.size());
    links_.push_back({bandwidth, {}, LinkLevel::other, from, to});
    links_.push_back({bandwidth, {}, LinkLevel::other, to, from});
    return id;
  }
  // The slot of each GPU, and what joins its other end to the switch.
  void find_slots(BytesPerSecond bandwidth, int per_uplink) {
    std::vector<LinkId> slot(static_cast<std::size_t>(devices()), -1);
    for (std::size_t i = 0; i < network_->links().size(); ++i) {
      const Link& link = links_[i];
      const bool leaves = link.from < devices() && link.to >= devices() && i % 2 == 0;
      const bool pcie = link.level == LinkLevel::other || network_->vertex_name(link.to).ends_with(".host");
      if (leaves && pcie) slot[static_cast<std::size_t>(link.from)] = static_cast<LinkId>(i);
    }
    for (DeviceId d = 0; d < devices(); ++d) {
      const VertexId up = switch0_ + d / per_node_ * uplinks_ + d % per_node_ / per_uplink;
      const LinkId known = slot[static_cast<std::size_t>(d)];
      if (known >= 0) ways(d).push_back(known);
      ways(d).push_back(add_cable(known < 0 ? d : links_[static_cast<std::size_t>(known)].to, up, bandwidth));
    }
  }

  std::unique_ptr<Topology> network_;
  int per_node_, uplinks_;
  std::vector<Link> links_;
  VertexId memory0_, switch0_, vertices_ = 0;
  std::vector<std::vector<LinkId>> to_host_;  // [device]
};

}  // namespace

const Fields<Host>& host_fields() {
  static const auto table =
      Fields<Host>("host", "The host of a node: memory for what a run keeps off its GPUs, and the way there.")
          .add("memory", &Host::memory, "of a node; 0 = nothing is said of it")
          .at_least(0)
          .add("usable_share", &Host::usable_share, "of the memory, for what is kept off the GPUs")
          .number_range(0, 1)
          .positive()
          .add("memory_bandwidth", &Host::memory_bandwidth, "of all channels of a node")
          .at_least(0)
          .add("memory_efficiency", &Host::memory_efficiency, "of it, what an optimizer on the host reaches")
          .number_range(0, 1)
          .positive()
          .add("cores", &Host::cores, "of a node; 0 = enough for the bandwidth")
          .range(0, 1 << 16)
          .add("core_bandwidth", &Host::core_bandwidth, "bytes that one core reads and writes at most")
          .positive()
          .choice("link", &Host::link, {{"pcie", HostLink::pcie}, {"c2c", HostLink::c2c}},
                  "what joins it to a GPU: a PCIe slot, or NVLink-C2C")
          .add("link_bandwidth", &Host::link_bandwidth, "of that link, one direction; 0 = pcie_bandwidth")
          .at_least(0)
          .add("copy_efficiency", &Host::copy_efficiency, "of the link, what copies of pinned memory reach")
          .number_range(0, 1)
          .positive()
          .add("copy_latency", &Host::copy_latency, "of one copy")
          .add("gpus_per_uplink", &Host::gpus_per_uplink,
               "GPUs below one PCIe switch, who share its link to the host (link: pcie)")
          .range(1, 4096);
  return table;
}

void check_host(const ClusterSpec& spec, Diagnostics& errors) {
  const Host& host = spec.host;
  const auto fail = [&](const char* key, std::string message, const char* help) {
    add_error(errors, spec, std::string("host.") + key, std::move(message), help);
  };
  if (!spec.pools.empty())
    return fail("memory", "hosts of pools are not described",
                "leave training.offload out, or run on a cluster of one kind of node");
  if (!host.known())
    return fail("memory", "nothing is said of the memory of a node",
                "cluster: {host: {memory: 2 TB, memory_bandwidth: 410 GB/s, cores: 128}}");
  if (host.memory_bandwidth.value <= 0)
    fail("memory_bandwidth", "must be positive", "eight channels of DDR4-3200 are 204.8 GB/s a socket");
  if (host.link_bandwidth.value <= 0 && spec.pcie_bandwidth.value <= 0)
    fail("link_bandwidth", "must be positive where pcie_bandwidth is not said", "PCIe Gen4 x16 is 32 GB/s one way");
  constexpr BytesPerSecond kFastest{1'000'000'000'000'000};
  if (host.link_bandwidth > kFastest || host.memory_bandwidth > kFastest || host.core_bandwidth > kFastest)
    fail("link_bandwidth", "bandwidths must be at most 1 PB/s", "");
  if (host.copy_latency.value < 0 || host.copy_latency.value > kPicosecondsPerSecond)
    fail("copy_latency", "must be between 0 and 1 s", "");
  if (host.link == HostLink::c2c && host.gpus_per_uplink != 1)
    fail("gpus_per_uplink", "is of PCIe switches, and link: c2c has none", "link: pcie");
}

std::unique_ptr<Topology> with_hosts(std::unique_ptr<Topology> network, const ClusterSpec& spec) {
  return std::make_unique<WithHosts>(std::move(network), spec);
}

}  // namespace orrery::hardware
