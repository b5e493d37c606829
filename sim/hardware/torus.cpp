// Torus or mesh of routers, one a node. Routes go dimension by dimension (first dimension first), the short way round;
// a tie goes the positive way, so that a route and its way back have equal length.
#include <fmt/format.h>

#include "fabric.hpp"

namespace orrery::hardware {
namespace {

class TorusFabric final : public Fabric {
 public:
  TorusFabric(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports)
      : torus_(spec.torus), nics_(ports.per_node), routers_(ports.nodes) {
    router0_ = assembly.add_vertices(routers_);
    std::vector<VertexId> router_of(ports.vertex.size());
    for (std::size_t p = 0; p < router_of.size(); ++p) router_of[p] = router0_ + static_cast<int>(p) / nics_;
    nic_links_ = add_nic_cables(assembly, spec, ports, router_of);
    const std::size_t dims = torus_.dimensions.size();
    positive_.assign(static_cast<std::size_t>(routers_) * dims, -1);
    for (int r = 0; r < routers_; ++r)
      for (std::size_t d = 0; d < dims; ++d)
        if (const int neighbour = step(r, d, +1); neighbour >= 0)
          positive(r, d) = assembly.add_cable(router0_ + r, router0_ + neighbour, torus_.link_bandwidth,
                                              LinkLevel::leaf, spec.switch_latency, spec.switch_latency);
  }

  void route(int from, int to, std::uint32_t, std::vector<LinkId>& out) const override {
    out.push_back(nic_links_ + 2 * from);
    int at = from / nics_;
    const int goal = to / nics_;
    for (std::size_t d = 0; d < torus_.dimensions.size(); ++d) {
      const int size = torus_.dimensions[d];
      int distance = coordinate(goal, d) - coordinate(at, d);
      if (wraps(size)) {
        distance = (distance + size) % size;
        if (2 * distance > size) distance -= size;
      }
      for (; distance > 0; --distance) {
        out.push_back(positive(at, d));
        at = step(at, d, +1);
      }
      for (; distance < 0; ++distance) {
        at = step(at, d, -1);
        out.push_back(positive(at, d) + 1);
      }
    }
    out.push_back(nic_links_ + 2 * to + 1);
  }

  std::string vertex_name(VertexId v) const override {
    std::string name = "router";
    for (std::size_t d = 0; d < torus_.dimensions.size(); ++d)
      name += fmt::format("{}{}", d == 0 ? "" : ".", coordinate(v - router0_, d));
    return name;
  }

 private:
  bool wraps(int size) const { return torus_.wrap && size > 2; }
  int stride(std::size_t d) const {
    int s = 1;
    for (std::size_t i = 0; i < d; ++i) s *= torus_.dimensions[i];
    return s;
  }
  int coordinate(int router, std::size_t d) const { return router / stride(d) % torus_.dimensions[d]; }
  // The neighbour in that dimension and direction; −1 at the edge of a mesh.
  int step(int router, std::size_t d, int direction) const {
    const int size = torus_.dimensions[d], at = coordinate(router, d), next = at + direction;
    if ((next < 0 || next >= size) && !wraps(size)) return -1;
    return router + ((next + size) % size - at) * stride(d);
  }
  LinkId& positive(int r, std::size_t d) {
    return positive_[static_cast<std::size_t>(r) * torus_.dimensions.size() + d];
  }
  LinkId positive(int r, std::size_t d) const {
    return positive_[static_cast<std::size_t>(r) * torus_.dimensions.size() + d];
  }

  Torus torus_;
  int nics_, routers_;
  VertexId router0_ = 0;
  LinkId nic_links_ = 0;
  std::vector<LinkId> positive_;  // router · dimension → link to the next router; −1 = none
};

}  // namespace

void check_torus(const ClusterSpec& spec, int nodes, Diagnostics& errors) {
  const Torus& torus = spec.scale_out.torus;
  const auto fail = [&](const char* key, std::string message, std::string help = {}) {
    add_error(errors, spec, std::string("scale_out.torus.") + key, std::move(message), std::move(help));
  };
  std::int64_t routers = 1;
  for (const int size : torus.dimensions) {
    if (size < 1) return fail("dimensions", fmt::format("must all be at least 1, got {}", size));
    routers = routers > nodes ? routers : routers * size;
  }
  if (torus.dimensions.empty()) fail("dimensions", "must name at least one dimension");
  if (routers != nodes)
    fail("dimensions", fmt::format("must multiply to the {} nodes that are used", nodes), "a torus is used as a whole");
}

std::unique_ptr<Fabric> make_torus(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports) {
  return std::make_unique<TorusFabric>(assembly, spec, ports);
}

}  // namespace orrery::hardware
