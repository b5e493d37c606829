#include "scale_up.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace orrery::hardware {
namespace {

// One switch (or PCIe root) per domain: device d goes up on link 2d and comes down on link 2d + 1, half the latency
// each.
class Star final : public ScaleUpPart {
 public:
  Star(Assembly& assembly, const ClusterSpec& spec, int nodes) : pcie_(spec.scale_up.kind == ScaleUpKind::pcie) {
    const int devices = nodes * spec.gpus_per_node;
    const int domain = domain_size(spec);
    single_node_ = spec.scale_up.nodes_per_domain == 1;
    switch0_ = assembly.add_vertices(static_cast<int>(ceil_div(devices, domain)));
    link0_ = assembly.next();
    const BytesPerSecond bandwidth = pcie_ ? spec.pcie_bandwidth : spec.scale_up.bandwidth;
    assembly.expect_cables(devices);
    const Time up{spec.scale_up.latency.value / 2}, down = spec.scale_up.latency - up;
    for (DeviceId d = 0; d < devices; ++d)
      assembly.add_cable(d, switch0_ + d / domain, bandwidth, LinkLevel::scale_up, up, down);
  }
  void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const override {
    out.push_back(link0_ + 2 * from);
    out.push_back(link0_ + 2 * to + 1);
  }
  std::string vertex_name(VertexId v) const override {
    return fmt::format("{}{}.{}", single_node_ ? "node" : "domain", v - switch0_, pcie_ ? "host" : "nvswitch");
  }

 private:
  bool pcie_, single_node_ = true;
  VertexId switch0_ = 0;
  LinkId link0_ = 0;
};

// A cable between every two GPUs of a domain; the pair i < j of domain g has cable g·n(n−1)/2 + j(j−1)/2 + i.
class FullMesh final : public ScaleUpPart {
 public:
  FullMesh(Assembly& assembly, const ClusterSpec& spec, int nodes) {
    const int devices = nodes * spec.gpus_per_node;
    size_ = std::min(domain_size(spec), devices);
    const BytesPerSecond per_pair{spec.scale_up.bandwidth.value / std::max(1, domain_size(spec) - 1)};
    link0_ = assembly.next();
    for (DeviceId first = 0; first < devices; first += size_)
      for (DeviceId j = 1; j < std::min(size_, devices - first); ++j)
        for (DeviceId i = 0; i < j; ++i)
          assembly.add_cable(first + i, first + j, per_pair, LinkLevel::scale_up, spec.scale_up.latency,
                             spec.scale_up.latency);
  }
  void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const override {
    const int pairs = size_ * (size_ - 1) / 2;
    const int a = from % size_, b = to % size_, i = std::min(a, b), j = std::max(a, b);
    out.push_back(link0_ + 2 * (from / size_ * pairs + j * (j - 1) / 2 + i) + (a < b ? 0 : 1));
  }
  std::string vertex_name(VertexId) const override { return {}; }

 private:
  int size_ = 1;
  LinkId link0_ = 0;
};

// DGX-1 with V100 (NVIDIA DGX-1 system architecture white paper WP-08437, fig. 4; `nvidia-smi topo -m`: NV1/NV2): six
// NVLinks a GPU, doubled on some pairs; pairs without a link go over one GPU between, the first by number.
constexpr std::array<std::array<int, 8>, 8> kCubeMesh{{{0, 1, 1, 2, 2, 0, 0, 0},
                                                       {1, 0, 2, 1, 0, 2, 0, 0},
                                                       {1, 2, 0, 2, 0, 0, 1, 0},
                                                       {2, 1, 2, 0, 0, 0, 0, 1},
                                                       {2, 0, 0, 0, 0, 1, 1, 2},
                                                       {0, 2, 0, 0, 1, 0, 2, 1},
                                                       {0, 0, 1, 0, 1, 2, 0, 2},
                                                       {0, 0, 0, 1, 2, 1, 2, 0}}};
constexpr int kCubeCables = 16;

class HybridCubeMesh final : public ScaleUpPart {
 public:
  HybridCubeMesh(Assembly& assembly, const ClusterSpec& spec, int nodes) : link0_(assembly.next()) {
    const std::int64_t per_link = spec.scale_up.bandwidth.value / 6;
    for (int node = 0; node < nodes; ++node)
      for (int j = 1; j < 8; ++j)
        for (int i = 0; i < j; ++i)
          if (const int count = links_between(i, j); count > 0)
            assembly.add_cable(node * 8 + i, node * 8 + j, {per_link * count}, LinkLevel::scale_up,
                               spec.scale_up.latency, spec.scale_up.latency);
    int next = 0;
    for (int j = 1; j < 8; ++j)
      for (int i = 0; i < j; ++i)
        if (links_between(i, j) > 0) {
          offset(i, j) = 2 * next;
          offset(j, i) = 2 * next++ + 1;
        }
    check(next == kCubeCables, "hybrid cube mesh has 16 cables");
  }
  void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const override {
    const LinkId base = link0_ + from / 8 * 2 * kCubeCables;
    const int a = from % 8, b = to % 8;
    if (links_between(a, b) > 0) {
      out.push_back(base + offset(a, b));
      return;
    }
    int via = 0;
    while (links_between(a, via) == 0 || links_between(via, b) == 0) ++via;
    out.push_back(base + offset(a, via));
    out.push_back(base + offset(via, b));
  }
  std::string vertex_name(VertexId) const override { return {}; }

 private:
  static int links_between(int a, int b) { return kCubeMesh[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)]; }
  LinkId& offset(int a, int b) { return offsets_[static_cast<std::size_t>(a * 8 + b)]; }
  LinkId offset(int a, int b) const { return offsets_[static_cast<std::size_t>(a * 8 + b)]; }

  LinkId link0_;
  std::array<LinkId, 64> offsets_{};
};

}  // namespace

std::unique_ptr<ScaleUpPart> make_scale_up(Assembly& assembly, const ClusterSpec& spec, int nodes) {
  switch (spec.scale_up.kind) {
    case ScaleUpKind::none:
      return nullptr;
    case ScaleUpKind::pcie:
    case ScaleUpKind::switched:
      return std::make_unique<Star>(assembly, spec, nodes);
    case ScaleUpKind::full_mesh:
      return std::make_unique<FullMesh>(assembly, spec, nodes);
    case ScaleUpKind::hybrid_cube_mesh:
      return std::make_unique<HybridCubeMesh>(assembly, spec, nodes);
  }
  return nullptr;
}

}  // namespace orrery::hardware
