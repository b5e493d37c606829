// What a cluster description must satisfy before it is built.
#include <fmt/format.h>

#include <algorithm>

#include "explicit_graph.hpp"
#include "fabric.hpp"
#include "gated.hpp"
#include "hosts.hpp"
#include "orrery/hardware/cluster.hpp"
#include "scale_up.hpp"

namespace orrery::hardware {
namespace {

// Bounds of what is built and added up: link ids and sums of bandwidths stay far from overflow.
constexpr std::int64_t kMostDevices = 1 << 20;
constexpr std::int64_t kMostCables = 1 << 24;
constexpr BytesPerSecond kFastest{1'000'000'000'000'000};  // 1 PB/s
constexpr Time kSlowest{kPicosecondsPerSecond};            // 1 s a link

class ClusterCheck {
 public:
  ClusterCheck(const ClusterSpec& spec, int nodes) : spec_(spec), nodes_(nodes) {}

  Diagnostics run() {
    check_sizes();
    if (spec_.host_links) check_host(spec_, errors_);
    if (!errors_.empty()) return errors_;
    if (!spec_.pools.empty()) {
      check_pools(spec_, errors_);
      if (spec_.between.bandwidth > kFastest) fail("between.bandwidth", "must be at most 1 PB/s");
      soon("between.latency", spec_.between.latency);
      if (nodes_ != spec_.nodes) fail("nodes", "a cluster of pools is used whole");
      return errors_;
    }
    if (!spec_.graph.cables.empty()) {
      check_explicit_graph(spec_, nodes_, errors_);
      return errors_;
    }
    check_scale_up();
    check_scale_out();
    if (errors_.empty()) check_fabric();
    if (errors_.empty()) check_cables();
    return errors_;
  }

 private:
  void fail(std::string path, std::string message, std::string help = {}) {
    add_error(errors_, spec_, std::move(path), std::move(message), std::move(help));
  }

  void fast(std::string path, BytesPerSecond bandwidth, const char* why = "") {
    if (bandwidth.value <= 0)
      fail(std::move(path), fmt::format("must be positive{}", why));
    else if (bandwidth > kFastest)
      fail(std::move(path), "must be at most 1 PB/s");
  }
  void soon(std::string path, Time latency) {
    if (latency.value < 0 || latency > kSlowest) fail(std::move(path), "must be between 0 and 1 s");
  }

  void check_sizes() {
    if (spec_.nodes < 1) fail("nodes", fmt::format("must be at least 1, got {}", spec_.nodes));
    if (spec_.gpus_per_node < 1) fail("gpus_per_node", fmt::format("must be at least 1, got {}", spec_.gpus_per_node));
    if (spec_.scale_up.nodes_per_domain < 1) fail("scale_up.nodes_per_domain", "must be at least 1");
    if (spec_.scale_up.segment < 0 || spec_.scale_up.segment > spec_.scale_up.nodes_per_domain)
      fail("scale_up.segment", fmt::format("must be from 0 to the {} nodes of a domain, got {}",
                                           spec_.scale_up.nodes_per_domain, spec_.scale_up.segment));
    if (!errors_.empty()) return;
    const std::int64_t gpus = spec_.gpus_per_node;
    if (nodes_ < 1 || nodes_ > spec_.nodes)
      fail("nodes", fmt::format("{} nodes asked of a cluster of {}", nodes_, spec_.nodes));
    else if (nodes_ * gpus > kMostDevices)
      fail("nodes", fmt::format("{} nodes of {} GPUs are more than {} devices", nodes_, gpus, kMostDevices));
    if (spec_.scale_up.nodes_per_domain * gpus > kMostDevices)
      fail("scale_up.nodes_per_domain", fmt::format("a domain is at most {} GPUs", kMostDevices));
  }

  void check_scale_up() {
    const ScaleUp& up = spec_.scale_up;
    const std::int64_t devices = static_cast<std::int64_t>(nodes_) * spec_.gpus_per_node;
    soon("scale_up.latency", up.latency);
    const bool multi = up.nodes_per_domain > 1;
    switch (up.kind) {
      case ScaleUpKind::none:
        return;
      case ScaleUpKind::pcie:
        fast("pcie_bandwidth", spec_.pcie_bandwidth, " where GPUs talk over PCIe");
        if (multi) fail("scale_up.nodes_per_domain", "must be 1 for pcie");
        cables_ += devices;
        return;
      case ScaleUpKind::hybrid_cube_mesh:
        if (spec_.gpus_per_node != 8 || multi)
          fail("scale_up.kind", fmt::format("hybrid_cube_mesh joins the 8 GPUs of a node, not {}", domain_size(spec_)));
        cables_ += devices * 2;
        break;
      case ScaleUpKind::full_mesh:
        cables_ += devices * (std::min<std::int64_t>(domain_size(spec_), devices) - 1) / 2;
        break;
      case ScaleUpKind::switched:
        cables_ += devices;
        break;
    }
    fast("scale_up.bandwidth", up.bandwidth);
    if (up.kind == ScaleUpKind::full_mesh && up.bandwidth.value < domain_size(spec_))
      fail("scale_up.bandwidth", "must be at least 1 B/s to each peer");
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
    fast("scale_out.nic_bandwidth", out.nic_bandwidth);
    soon("scale_out.nic_latency", out.nic_latency);
    soon("scale_out.switch_latency", out.switch_latency);
    fast("pcie_bandwidth", spec_.pcie_bandwidth, ": it joins GPU and NIC");
    soon("pcie_latency", spec_.pcie_latency);
    cables_ += 2LL * nodes_ * spec_.gpus_per_node;  // to a NIC each, and no more NICs than GPUs
  }

  void check_fabric() {
    const ScaleOut& out = spec_.scale_out;
    switch (out.fabric) {
      case FabricKind::fat_tree:
        check_fat_tree(spec_, nodes_, errors_);
        if (errors_.empty()) cables_ += fat_tree_cables(out, nodes_);
        return;
      case FabricKind::torus:
        fast("scale_out.torus.link_bandwidth", out.torus.link_bandwidth);
        check_torus(spec_, nodes_, errors_);
        cables_ += static_cast<std::int64_t>(nodes_) * static_cast<std::int64_t>(out.torus.dimensions.size());
        return;
      case FabricKind::dragonfly:
        fast("scale_out.dragonfly.local_bandwidth", out.dragonfly.local_bandwidth);
        fast("scale_out.dragonfly.global_bandwidth", out.dragonfly.global_bandwidth);
        soon("scale_out.dragonfly.global_latency", out.dragonfly.global_latency);
        check_dragonfly(spec_, nodes_, errors_);
        if (errors_.empty()) cables_ += dragonfly_cables(out, nodes_);
        return;
      case FabricKind::single_switch:
      case FabricKind::none:
        return;
    }
  }
  void check_cables() {
    if (cables_ > kMostCables)
      fail("nodes", fmt::format("{} nodes of this shape are more than {} cables", nodes_, kMostCables));
  }

  const ClusterSpec& spec_;
  int nodes_;
  Diagnostics errors_;
  std::int64_t cables_ = 0;
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
