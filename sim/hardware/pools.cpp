// Pools of unlike nodes as one cluster. Each keeps its own network; above them stands one switch:
//   NIC, leaf of the sender's pool, the pool's gateway, the switch between, the other's gateway, leaf, NIC
// Leaves reach their gateway as fast as their NICs are; the way from a gateway is what all traffic to other pools
// shares. Devices are those of the pools in turn; vertices and links are numbered pool by pool behind them, the
// gateways' last.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "fabric.hpp"
#include "gated.hpp"

namespace orrery::hardware {
namespace {

class PoolsTopology final : public Topology {
 public:
  explicit PoolsTopology(const ClusterSpec& spec) : per_node_(spec.gpus_per_node) {
    for (std::size_t p = 0; p < spec.pools.size(); ++p) {
      const ClusterSpec of_job = allocated(spec.of_pools[p]);
      pools_.push_back({spec.pools[p].shown(), make_generated(of_job, of_job.nodes), devices_, 0, 0});
      devices_ += pools_.back().topology->devices();
    }
    assembly_.add_vertices(devices_);
    for (Part& pool : pools_) add_links(pool);
    switch_ = assembly_.vertices + static_cast<VertexId>(pools_.size());
    for (std::size_t p = 0; p < pools_.size(); ++p) add_gateway(p, spec.between);
    assembly_.add_vertices(1);
  }

  int devices() const override { return devices_; }
  int devices_per_node() const override { return per_node_; }
  const std::vector<Link>& links() const override { return assembly_.links; }
  int vertices() const override { return assembly_.vertices; }
  bool same_domain(DeviceId a, DeviceId b) const override {
    const Part& pool = of(a);
    return &pool == &of(b) && pool.topology->same_domain(a - pool.device0, b - pool.device0);
  }
  void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const override {
    alternative_route(from, to, 0, out);
  }
  void alternative_route(DeviceId from, DeviceId to, std::uint32_t choice, std::vector<LinkId>& out) const override {
    const Part &here = of(from), &there = of(to);
    const auto numbered = [&out](const Part& pool, const auto& append) {
      const std::size_t first = out.size();
      append(*pool.topology);
      for (std::size_t i = first; i < out.size(); ++i) out[i] += pool.link0;
    };
    if (&here == &there)
      return numbered(here, [&](const GatedTopology& t) {
        t.alternative_route(from - here.device0, to - here.device0, choice, out);
      });
    numbered(here, [&](const GatedTopology& t) { t.to_leaf(from - here.device0, out); });
    out.push_back(here.to_gateway.at(assembly_.links[static_cast<std::size_t>(out.back())].to));
    out.push_back(here.gateway_link);
    std::vector<LinkId> arrival;
    there.topology->from_leaf(to - there.device0, arrival);
    const VertexId leaf = assembly_.links[static_cast<std::size_t>(arrival.front() + there.link0)].from;
    out.push_back(there.gateway_link + 1);
    out.push_back(there.to_gateway.at(leaf) + 1);
    for (const LinkId link : arrival) out.push_back(link + there.link0);
  }

  std::string vertex_name(VertexId v) const override {
    if (v == switch_) return "between";
    if (v >= switch_ - static_cast<VertexId>(pools_.size()))
      return pools_[static_cast<std::size_t>(v - switch_) + pools_.size()].name + ".gateway";
    if (v < devices_) return of(v).name + "." + of(v).topology->vertex_name(v - of(v).device0);
    const auto next = std::upper_bound(pools_.begin(), pools_.end(), v,
                                       [](VertexId vertex, const Part& pool) { return vertex < pool.vertex0; });
    const Part& pool = *std::prev(next);
    return pool.name + "." + pool.topology->vertex_name(v - pool.vertex0 + pool.topology->devices());
  }
  std::string link_name(LinkId id) const override {
    const Link& link = assembly_.links.at(static_cast<std::size_t>(id));
    const auto next =
        std::upper_bound(pools_.begin(), pools_.end(), id, [](LinkId l, const Part& pool) { return l < pool.link0; });
    const Part& pool = *std::prev(next);
    if (id - pool.link0 >= static_cast<LinkId>(pool.topology->links().size()))
      return vertex_name(link.from) + "->" + vertex_name(link.to);
    std::string name = pool.name + "." + pool.topology->link_name(id - pool.link0);
    return name.insert(name.find("->") + 2, pool.name + ".");
  }

 private:
  struct Part {
    std::string name;
    std::unique_ptr<GatedTopology> topology;
    DeviceId device0 = 0;
    VertexId vertex0 = 0;  // of what is no device
    LinkId link0 = 0;
    LinkId gateway_link = 0;                     // from its gateway to the switch between
    std::map<VertexId, LinkId> to_gateway = {};  // of each leaf
  };

  const Part& of(DeviceId device) const {
    const auto next = std::upper_bound(pools_.begin(), pools_.end(), device,
                                       [](DeviceId d, const Part& pool) { return d < pool.device0; });
    return *std::prev(next);
  }

  void add_links(Part& pool) {
    const int inner = pool.topology->devices();
    pool.vertex0 = assembly_.add_vertices(pool.topology->vertices() - inner);
    pool.link0 = assembly_.next();
    const auto numbered = [&](VertexId v) { return v < inner ? v + pool.device0 : v - inner + pool.vertex0; };
    for (Link link : pool.topology->links()) {
      link.from = numbered(link.from), link.to = numbered(link.to);
      assembly_.links.push_back(link);
    }
  }

  void add_gateway(std::size_t p, const BetweenPools& between) {
    Part& pool = pools_[p];
    std::map<VertexId, BytesPerSecond> leaves;
    BytesPerSecond all{};
    std::vector<LinkId> way;
    std::set<LinkId> seen;  // NICs that several GPUs share count once
    for (DeviceId d = 0; d < pool.topology->devices(); ++d) {
      way.clear();
      pool.topology->to_leaf(d, way);
      const LinkId nic = way.back() + pool.link0;
      if (!seen.insert(nic).second) continue;
      const Link& link = assembly_.links[static_cast<std::size_t>(nic)];
      leaves[link.to].value += link.bandwidth.value, all.value += link.bandwidth.value;
    }
    const VertexId gateway = assembly_.add_vertices(1);
    for (const auto& [leaf, bandwidth] : leaves)
      pool.to_gateway[leaf] = assembly_.add_cable(leaf, gateway, bandwidth, LinkLevel::spine, {}, {});
    pool.gateway_link = assembly_.add_cable(gateway, switch_, between.bandwidth.value > 0 ? between.bandwidth : all,
                                            LinkLevel::core, between.latency, between.latency);
  }

  int per_node_, devices_ = 0;
  VertexId switch_ = 0;
  Assembly assembly_;
  std::vector<Part> pools_;
};

}  // namespace

int pool_of_node(const ClusterSpec& spec, int node) {
  int pool = 0;
  for (int first = 0; pool + 1 < static_cast<int>(spec.pools.size()); ++pool) {
    first += spec.pools[static_cast<std::size_t>(pool)].nodes;
    if (node < first) return pool;
  }
  return pool;
}

std::unique_ptr<Topology> make_pools(const ClusterSpec& spec) {
  return std::make_unique<PoolsTopology>(spec);
}

void check_pools(const ClusterSpec& spec, Diagnostics& errors) {
  const auto fail = [&](std::size_t pool, const char* key, std::string message, std::string help) {
    add_error(errors, spec, fmt::format("pools[{}].{}", pool, key), std::move(message), std::move(help));
  };
  check(spec.of_pools.size() == spec.pools.size(), "each pool is a cluster");
  for (std::size_t p = 0; p < spec.pools.size(); ++p) {
    const ClusterSpec& pool = spec.of_pools[p];
    const std::string& name = spec.pools[p].shown();
    for (std::size_t q = 0; q < p; ++q)
      if (spec.pools[q].shown() == name)
        fail(p, "name", fmt::format("two pools are called '{}'", name), "give each a name of its own");
    if (name.find('+') != std::string::npos)
      fail(p, "name", fmt::format("'{}' has a +, which joins names in placement.stages", name), "give it another name");
    if (pool.gpus_per_node != spec.gpus_per_node)
      fail(p, "type",
           fmt::format("nodes of {} GPUs beside nodes of {}: pools of as many GPUs a node are described",
                       pool.gpus_per_node, spec.gpus_per_node),
           fmt::format("name a file with `{{type: {}, gpus_per_node: {}}}`", pool.name, spec.gpus_per_node));
    if (pool.scale_out.fabric == FabricKind::none || !pool.graph.cables.empty())
      fail(p, "type", "has no generated network between nodes, by which the other pools could be reached",
           "choose a cluster with a scale_out fabric");
    for (const Diagnostic& e : check_cluster(pool, pool.nodes)) fail(p, "type", e.path + ": " + e.message, e.help);
  }
}

}  // namespace orrery::hardware
