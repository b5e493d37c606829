// What a cluster description must satisfy before it is built.
#include <fmt/format.h>

#include "explicit_graph.hpp"
#include "fabric.hpp"
#include "orrery/hardware/cluster.hpp"
#include "scale_up.hpp"

namespace orrery::hardware {
namespace {

constexpr int kMostDevices = 1 << 20;  // link ids of the largest fabric stay far below 2³¹
constexpr int kLargestMesh = 1024;     // links grow with its square

class ClusterCheck {
 public:
  ClusterCheck(const ClusterSpec& spec, int nodes) : spec_(spec), nodes_(nodes) {}

  Diagnostics run() {
    check_sizes();
    if (!errors_.empty()) return errors_;
    if (!spec_.graph.cables.empty()) {
      check_explicit_graph(spec_, nodes_, errors_);
      return errors_;
    }
    check_scale_up();
    check_scale_out();
    if (errors_.empty()) check_fabric();
    return errors_;
  }

 private:
  void fail(std::string path, std::string message, std::string help = {}) {
    add_error(errors_, spec_, std::move(path), std::move(message), std::move(help));
  }

  void check_sizes() {
    if (spec_.nodes < 1) fail("nodes", fmt::format("must be at least 1, got {}", spec_.nodes));
    if (spec_.gpus_per_node < 1) fail("gpus_per_node", fmt::format("must be at least 1, got {}", spec_.gpus_per_node));
    if (!errors_.empty()) return;
    if (nodes_ < 1 || nodes_ > spec_.nodes)
      fail("nodes", fmt::format("{} nodes asked of a cluster of {}", nodes_, spec_.nodes));
    else if (static_cast<std::int64_t>(nodes_) * spec_.gpus_per_node > kMostDevices)
      fail("nodes",
           fmt::format("{} nodes of {} GPUs are more than {} devices", nodes_, spec_.gpus_per_node, kMostDevices));
  }

  void check_scale_up() {
    const ScaleUp& up = spec_.scale_up;
    if (up.nodes_per_domain < 1) return fail("scale_up.nodes_per_domain", "must be at least 1");
    if (up.latency.value < 0) fail("scale_up.latency", "must not be negative");
    const bool multi = up.nodes_per_domain > 1;
    switch (up.kind) {
      case ScaleUpKind::none:
        return;
      case ScaleUpKind::pcie:
        if (spec_.pcie_bandwidth.value <= 0) fail("pcie_bandwidth", "must be positive where GPUs talk over PCIe");
        if (multi) fail("scale_up.nodes_per_domain", "must be 1 for pcie");
        return;
      case ScaleUpKind::hybrid_cube_mesh:
        if (spec_.gpus_per_node != 8 || multi)
          fail("scale_up.kind", fmt::format("hybrid_cube_mesh joins the 8 GPUs of a node, not {}", domain_size(spec_)));
        break;
      case ScaleUpKind::full_mesh:
        if (domain_size(spec_) > kLargestMesh)
          fail("scale_up.kind",
               fmt::format("full_mesh joins at most {} GPUs, not {}", kLargestMesh, domain_size(spec_)));
        break;
      case ScaleUpKind::switched:
        break;
    }
    if (up.bandwidth.value < domain_size(spec_)) fail("scale_up.bandwidth", "must be positive");
  }

  void check_scale_out() {
    const ScaleOut& out = spec_.scale_out;
    if (out.fabric == FabricKind::none) {
      const int reach = spec_.scale_up.kind == ScaleUpKind::none ? 0 : spec_.scale_up.nodes_per_domain;
      const bool alone = nodes_ * spec_.gpus_per_node == 1;
      if (nodes_ > reach && !alone)
        fail("scale_out", fmt::format("{} nodes have no network between them", nodes_), "name a scale_out fabric");
      return;
    }
    if (out.nics_per_node < 1 || spec_.gpus_per_node % out.nics_per_node != 0)
      fail("scale_out.nics_per_node",
           fmt::format("must divide the {} GPUs of a node, got {}", spec_.gpus_per_node, out.nics_per_node),
           "several NICs of one GPU count as one with their summed bandwidth");
    if (out.nic_bandwidth.value <= 0) fail("scale_out.nic_bandwidth", "must be positive");
    if (out.nic_latency.value < 0) fail("scale_out.nic_latency", "must not be negative");
    if (out.switch_latency.value < 0) fail("scale_out.switch_latency", "must not be negative");
    if (spec_.pcie_bandwidth.value <= 0) fail("pcie_bandwidth", "must be positive: it joins GPU and NIC");
    if (spec_.pcie_latency.value < 0) fail("pcie_latency", "must not be negative");
  }

  void check_fabric() {
    switch (spec_.scale_out.fabric) {
      case FabricKind::fat_tree:
        return check_fat_tree(spec_, nodes_, errors_);
      case FabricKind::torus:
        return check_torus(spec_, nodes_, errors_);
      case FabricKind::dragonfly:
        return check_dragonfly(spec_, nodes_, errors_);
      case FabricKind::single_switch:
      case FabricKind::none:
        return;
    }
  }

  const ClusterSpec& spec_;
  int nodes_;
  Diagnostics errors_;
};

}  // namespace

void add_error(Diagnostics& errors, const ClusterSpec& spec, std::string path, std::string message, std::string help) {
  Diagnostic error;
  error.place.file = spec.name;
  error.path = std::move(path);
  error.message = std::move(message);
  error.help = std::move(help);
  errors.push_back(std::move(error));
}

Diagnostics check_cluster(const ClusterSpec& spec, int nodes) {
  return ClusterCheck(spec, nodes).run();
}

}  // namespace orrery::hardware
