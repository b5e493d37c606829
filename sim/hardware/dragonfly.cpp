// Dragonfly (Kim, Dally, Scott, Abts, "Technology-driven, highly-scalable dragonfly topology", ISCA'08). With g groups
// of a routers and h global links each, group G has a·h slots; slot l belongs to router l / h. Slot c·(g−1) + o goes to
// group (G + o + 1) mod g, and is the same cable as that group's slot c·(g−1) + (g−2−o): copy c of the link between the
// two.
#include <fmt/format.h>

#include "fabric.hpp"

namespace orrery::hardware {
namespace {

int groups_for(const Dragonfly& d, int ports) {
  return static_cast<int>(ceil_div(ports, static_cast<std::int64_t>(d.routers_per_group) * d.ports_per_router));
}

class DragonflyFabric final : public Fabric {
 public:
  DragonflyFabric(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports)
      : d_(spec.dragonfly), groups_(groups_for(d_, static_cast<int>(ports.vertex.size()))) {
    const int a = d_.routers_per_group;
    router0_ = assembly.add_vertices(groups_ * a);
    std::vector<VertexId> router_of(ports.vertex.size());
    for (std::size_t p = 0; p < router_of.size(); ++p) router_of[p] = router0_ + router(static_cast<int>(p));
    nic_links_ = add_nic_cables(assembly, spec, ports, router_of);
    local_links_ = assembly.next();
    for (int g = 0; g < groups_; ++g)
      for (int j = 1; j < a; ++j)
        for (int i = 0; i < j; ++i)
          assembly.add_cable(router0_ + g * a + i, router0_ + g * a + j, d_.local_bandwidth, LinkLevel::leaf,
                             spec.switch_latency, spec.switch_latency);
    copies_ = groups_ > 1 ? a * d_.global_links_per_router / (groups_ - 1) : 0;
    global_links_ = assembly.next();
    const Time latency = spec.switch_latency + d_.global_latency;
    for (int h = 1; h < groups_; ++h)
      for (int g = 0; g < h; ++g)
        for (int c = 0; c < copies_; ++c)
          assembly.add_cable(router0_ + gateway(g, h, c), router0_ + gateway(h, g, c), d_.global_bandwidth,
                             LinkLevel::core, latency, latency);
  }

  void route(int from, int to, std::uint32_t choice, std::vector<LinkId>& out) const override {
    out.push_back(nic_links_ + 2 * from);
    int at = router(from);
    const int goal = router(to), a = d_.routers_per_group;
    // The same for both directions, so that the way back is as long.
    const std::uint64_t hash = mix64(mix(std::min(from, to), std::max(from, to)) + choice);
    if (d_.valiant && at / a != goal / a && groups_ > 2) at = cross(at, detour(at / a, goal / a, hash), hash, out);
    if (at / a != goal / a) at = cross(at, goal / a, hash, out);
    within_group(at, goal, out);
    out.push_back(nic_links_ + 2 * to + 1);
  }

  std::string vertex_name(VertexId v) const override {
    return fmt::format("router{}.{}", (v - router0_) / d_.routers_per_group, (v - router0_) % d_.routers_per_group);
  }
  int parallel_index(LinkId link) const override {
    return link < global_links_ ? -1 : (link - global_links_) / 2 % copies_;
  }

 private:
  int router(int port) const { return port / d_.ports_per_router; }
  // Router of group `from` that holds copy c of the link to group `to`.
  int gateway(int from, int to, int c) const {
    const int slot = c * (groups_ - 1) + (to - from - 1 + groups_) % groups_;
    return from * d_.routers_per_group + slot / d_.global_links_per_router;
  }
  // Valiant's intermediate group: any but the two ends.
  int detour(int from, int to, std::uint64_t hash) const {
    int group = static_cast<int>(hash % static_cast<std::uint64_t>(groups_ - 2));
    for (const int taken : {std::min(from, to), std::max(from, to)})
      if (group >= taken) ++group;
    return group;
  }
  void within_group(int from, int to, std::vector<LinkId>& out) const {
    if (from == to) return;
    const int a = d_.routers_per_group, group = from / a, i = std::min(from, to) % a, j = std::max(from, to) % a;
    out.push_back(local_links_ + 2 * (group * (a * (a - 1) / 2) + j * (j - 1) / 2 + i) + (from < to ? 0 : 1));
  }
  // To the gateway of this group and over the global link; returns the router it arrives at.
  int cross(int at, int group, std::uint64_t hash, std::vector<LinkId>& out) const {
    const int here = at / d_.routers_per_group, low = std::min(here, group), high = std::max(here, group);
    const int c = static_cast<int>((hash >> 32U) % static_cast<std::uint64_t>(copies_));
    within_group(at, gateway(here, group, c), out);
    out.push_back(global_links_ + 2 * ((high * (high - 1) / 2 + low) * copies_ + c) + (here < group ? 0 : 1));
    return gateway(group, here, c);
  }

  Dragonfly d_;
  int groups_, copies_ = 0;
  VertexId router0_ = 0;
  LinkId nic_links_ = 0, local_links_ = 0, global_links_ = 0;
};

}  // namespace

void check_dragonfly(const ClusterSpec& spec, int nodes, Diagnostics& errors) {
  const Dragonfly& d = spec.scale_out.dragonfly;
  const auto fail = [&](const char* key, std::string message, std::string help = {}) {
    add_error(errors, spec, std::string("scale_out.dragonfly.") + key, std::move(message), std::move(help));
  };
  if (d.routers_per_group < 1 || d.routers_per_group > 4096)
    return fail("routers_per_group", "must be between 1 and 4096");
  if (d.ports_per_router < 1 || d.ports_per_router > 4096)
    return fail("ports_per_router", "must be between 1 and 4096");
  if (d.global_links_per_router < 1 || d.global_links_per_router > 4096)
    return fail("global_links_per_router", "must be between 1 and 4096");
  const int groups = groups_for(d, nodes * spec.scale_out.nics_per_node);
  if (groups - 1 > d.routers_per_group * d.global_links_per_router)
    fail("global_links_per_router", fmt::format("{} nodes need {} groups, but a group has only {} global links", nodes,
                                                groups, d.routers_per_group * d.global_links_per_router));
}

std::int64_t dragonfly_cables(const ScaleOut& spec, int nodes) {
  const Dragonfly& d = spec.dragonfly;
  const std::int64_t groups = groups_for(d, nodes * spec.nics_per_node), a = d.routers_per_group;
  return groups * (a * (a - 1) / 2 + a * d.global_links_per_router);
}

std::unique_ptr<Fabric> make_dragonfly(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports) {
  return std::make_unique<DragonflyFabric>(assembly, spec, ports);
}

}  // namespace orrery::hardware
