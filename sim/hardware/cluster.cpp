// The generators put together: devices, scale-up, NICs, fabric.
#include "orrery/hardware/cluster.hpp"

#include <fmt/format.h>

#include "explicit_graph.hpp"
#include "fabric.hpp"
#include "gated.hpp"
#include "hosts.hpp"
#include "orrery/hardware/routing.hpp"
#include "scale_up.hpp"

namespace orrery::hardware {
namespace {

// NVLink and xGMI: a GPU may pass data on to the peer that owns another rail.
bool can_hop(ScaleUpKind kind) {
  return kind != ScaleUpKind::none && kind != ScaleUpKind::pcie;
}

class ClusterTopology final : public GatedTopology {
 public:
  ClusterTopology(const ClusterSpec& spec, int nodes)
      : devices_(nodes * spec.gpus_per_node),
        per_node_(spec.gpus_per_node),
        domain_(domain_size(spec)),
        nics_(spec.scale_out.nics_per_node),
        host_is_scale_up_(spec.scale_up.kind == ScaleUpKind::pcie),
        hop_(spec.scale_out.rail_hop && can_hop(spec.scale_up.kind)) {
    Assembly assembly;
    assembly.add_vertices(devices_);
    scale_up0_ = assembly.vertices;
    scale_up_ = make_scale_up(assembly, spec, nodes);
    nic0_ = assembly.vertices;
    fabric0_ = nic0_;
    if (spec.scale_out.fabric != FabricKind::none) add_scale_out(assembly, spec, nodes);
    links_ = std::move(assembly.links);
    vertices_ = assembly.vertices;
  }

  int devices() const override { return devices_; }
  int devices_per_node() const override { return per_node_; }
  const std::vector<Link>& links() const override { return links_; }
  int vertices() const override { return vertices_; }
  bool same_domain(DeviceId a, DeviceId b) const override { return a / domain_ == b / domain_; }

  void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const override {
    alternative_route(from, to, 0, out);
  }
  void alternative_route(DeviceId from, DeviceId to, std::uint32_t choice, std::vector<LinkId>& out) const override {
    if (from == to) return;
    if (same_domain(from, to)) return scale_up_->route(from, to, out);
    check(fabric_ != nullptr, "a route between domains needs a fabric");
    const int port_to = port(to);
    if (hop_ && !fabric_->same_rail(port(from), port_to)) {
      // PXN: the peer with the receiver's place in its node owns a NIC on the receiver's rail.
      const DeviceId peer = from / per_node_ * per_node_ + to % per_node_;
      scale_up_->route(from, peer, out);
      from = peer;
    }
    const int port_from = port(from);
    out.push_back(host_links_ + 2 * from);
    if (port_from != port_to) fabric_->route(port_from, port_to, choice, out);
    out.push_back(host_links_ + 2 * to + 1);
  }

  void to_leaf(DeviceId from, std::vector<LinkId>& out) const override {
    out.push_back(host_links_ + 2 * from), out.push_back(nic_links_ + 2 * port(from));
  }
  void from_leaf(DeviceId to, std::vector<LinkId>& out) const override {
    out.push_back(nic_links_ + 2 * port(to) + 1), out.push_back(host_links_ + 2 * to + 1);
  }

  std::string vertex_name(VertexId v) const override {
    if (v < devices_) return fmt::format("node{}.gpu{}", v / per_node_, v % per_node_);
    if (v < nic0_) return scale_up_->vertex_name(v);
    if (v < fabric0_) return fmt::format("node{}.nic{}", (v - nic0_) / nics_, (v - nic0_) % nics_);
    return fabric_->vertex_name(v);
  }
  std::string link_name(LinkId id) const override {
    const Link& link = links_.at(static_cast<std::size_t>(id));
    const std::string name = vertex_name(link.from) + "->" + vertex_name(link.to);
    int parallel = 0;  // cables between the same two switches, or NICs of a host without vertices of their own
    if (link.from >= fabric0_ && link.to >= fabric0_) parallel = fabric_->parallel_index(id);
    if (host_is_scale_up_ && link.level == LinkLevel::nic) parallel = (id - nic_links_) / 2 % nics_;
    return parallel > 0 ? name + fmt::format("#{}", parallel) : name;
  }

 private:
  int port(DeviceId d) const { return d / per_node_ * nics_ + d % per_node_ * nics_ / per_node_; }

  void add_scale_out(Assembly& assembly, const ClusterSpec& spec, int nodes) {
    NicPorts ports{{}, nics_, nodes};
    ports.vertex.resize(static_cast<std::size_t>(nodes * nics_));
    if (host_is_scale_up_) {
      // One PCIe link a GPU carries both kinds of traffic; the NICs sit at the host's root.
      host_links_ = 0;
      for (std::size_t p = 0; p < ports.vertex.size(); ++p) ports.vertex[p] = scale_up0_ + static_cast<int>(p) / nics_;
    } else {
      assembly.add_vertices(nodes * nics_);
      for (std::size_t p = 0; p < ports.vertex.size(); ++p) ports.vertex[p] = nic0_ + static_cast<int>(p);
      host_links_ = assembly.next();
      assembly.expect_cables(devices_);
      for (DeviceId d = 0; d < devices_; ++d)
        assembly.add_cable(d, nic0_ + port(d), spec.pcie_bandwidth, LinkLevel::other, spec.pcie_latency,
                           spec.pcie_latency);
    }
    fabric0_ = assembly.vertices;
    nic_links_ = assembly.next();
    fabric_ = make_fabric(assembly, spec.scale_out, ports);
  }

  static std::unique_ptr<Fabric> make_fabric(Assembly& assembly, ScaleOut out, const NicPorts& ports) {
    switch (out.fabric) {
      case FabricKind::torus:
        return make_torus(assembly, out, ports);
      case FabricKind::dragonfly:
        return make_dragonfly(assembly, out, ports);
      case FabricKind::single_switch:  // one leaf that takes every NIC
        out.fat_tree = {};
        out.fat_tree.nodes_per_unit = ports.nodes;
        [[fallthrough]];
      case FabricKind::fat_tree:
      case FabricKind::none:
        break;
    }
    return make_fat_tree(assembly, out, ports);
  }

  int devices_, per_node_, domain_, nics_;
  bool host_is_scale_up_, hop_;
  std::vector<Link> links_;
  std::unique_ptr<ScaleUpPart> scale_up_;
  std::unique_ptr<Fabric> fabric_;
  VertexId vertices_ = 0, scale_up0_ = 0, nic0_ = 0, fabric0_ = 0;
  LinkId host_links_ = 0, nic_links_ = 0;
};

}  // namespace

std::unique_ptr<GatedTopology> make_generated(const ClusterSpec& spec, int nodes) {
  return std::make_unique<ClusterTopology>(spec, nodes);
}

// Leaves and pods of whole domains shrink with them.
ClusterSpec allocated(ClusterSpec spec) {
  ScaleUp& up = spec.scale_up;
  const int domain = up.nodes_per_domain;
  const bool segments = up.segment > 0 && spec.nodes > domain && spec.nodes % domain != 0;
  if (!segments || up.kind == ScaleUpKind::none) return spec;
  int& unit = spec.scale_out.fat_tree.nodes_per_unit;
  if (unit % domain == 0) unit = unit / domain * up.segment;
  up.nodes_per_domain = up.segment;
  return spec;
}

Result<std::unique_ptr<Topology>> build_topology(const ClusterSpec& spec, int nodes) {
  if (Diagnostics errors = check_cluster(spec, nodes); !errors.empty()) return errors;
  if (!spec.pools.empty()) return perturbed(make_pools(spec), spec.perturb);
  Result<std::unique_ptr<Topology>> built =
      spec.graph.cables.empty() ? Result<std::unique_ptr<Topology>>(std::make_unique<ClusterTopology>(spec, nodes))
                                : make_explicit_graph(spec);
  if (!built) return built;
  if (spec.host_links) built = with_hosts(std::move(built).value(), spec);
  return perturbed(std::move(built).value(), spec.perturb);
}

}  // namespace orrery::hardware
