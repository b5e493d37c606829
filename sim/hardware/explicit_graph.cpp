#include "explicit_graph.hpp"

#include <fmt/format.h>

#include <boost/graph/connected_components.hpp>
#include <map>
#include <optional>

#include "assembly.hpp"
#include "fabric.hpp"
#include "graph.hpp"

namespace orrery::hardware {
namespace {

constexpr std::int64_t kLargestTable = 1 << 24;  // entries of the table of next links

std::string device_name(const ClusterSpec& spec, DeviceId d) {
  return fmt::format("node{}.gpu{}", d / spec.gpus_per_node, d % spec.gpus_per_node);
}

// Vertices by name: devices, then switches in their order.
std::map<std::string, VertexId> vertex_names(const ClusterSpec& spec) {
  std::map<std::string, VertexId> names;
  const int devices = spec.nodes * spec.gpus_per_node;
  for (DeviceId d = 0; d < devices; ++d) names.emplace(device_name(spec, d), d);
  for (std::size_t i = 0; i < spec.graph.switches.size(); ++i)
    names.emplace(spec.graph.switches[i], devices + static_cast<VertexId>(i));
  return names;
}

class ExplicitTopology final : public Topology {
 public:
  ExplicitTopology(const ClusterSpec& spec, std::vector<Link> links)
      : spec_(spec),
        devices_(spec.nodes * spec.gpus_per_node),
        vertices_(devices_ + static_cast<int>(spec.graph.switches.size())),
        links_(std::move(links)) {
    domains_ = scale_up_domains();
  }

  // Fills the table; the first pair without a way, if there is one.
  std::optional<std::pair<DeviceId, DeviceId>> find_routes() {
    const Graph graph = make_graph(links_, vertices_);
    next_.assign(static_cast<std::size_t>(devices_) * static_cast<std::size_t>(vertices_), -1);
    for (DeviceId to = 0; to < devices_; ++to) {
      const std::vector<int> hops = hops_to(graph, to);
      for (VertexId v = 0; v < vertices_; ++v) {
        if (v < devices_ && hops[static_cast<std::size_t>(v)] < 0) return std::pair{v, to};
        if (v != to && hops[static_cast<std::size_t>(v)] > 0) next(v, to) = next_link(graph, v, hops);
      }
    }
    return std::nullopt;
  }

  int devices() const override { return devices_; }
  int devices_per_node() const override { return spec_.gpus_per_node; }
  const std::vector<Link>& links() const override { return links_; }
  int vertices() const override { return vertices_; }
  bool same_domain(DeviceId a, DeviceId b) const override {
    return domains_[static_cast<std::size_t>(a)] == domains_[static_cast<std::size_t>(b)];
  }
  void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const override {
    for (VertexId at = from; at != to;) {
      const LinkId link = next_[index(at, to)];
      out.push_back(link);
      at = links_[static_cast<std::size_t>(link)].to;
    }
  }
  std::string vertex_name(VertexId v) const override {
    return v < devices_ ? device_name(spec_, v) : spec_.graph.switches[static_cast<std::size_t>(v - devices_)];
  }
  std::string link_name(LinkId id) const override {
    const Link& link = links_.at(static_cast<std::size_t>(id));
    int parallel = 0;
    for (LinkId i = 0; i < id; ++i)
      if (const Link& l = links_[static_cast<std::size_t>(i)]; l.from == link.from && l.to == link.to) ++parallel;
    std::string name = vertex_name(link.from) + "->" + vertex_name(link.to);
    return parallel > 0 ? name + fmt::format("#{}", parallel) : name;
  }

 private:
  std::size_t index(VertexId at, DeviceId to) const {
    return static_cast<std::size_t>(to) * static_cast<std::size_t>(vertices_) + static_cast<std::size_t>(at);
  }
  LinkId& next(VertexId at, DeviceId to) { return next_[index(at, to)]; }

  // Devices are in one domain when scale-up links alone join them.
  std::vector<int> scale_up_domains() const {
    boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS> graph(static_cast<std::size_t>(vertices_));
    for (std::size_t i = 0; i < links_.size(); i += 2)
      if (links_[i].level == LinkLevel::scale_up)
        boost::add_edge(static_cast<std::size_t>(links_[i].from), static_cast<std::size_t>(links_[i].to), graph);
    std::vector<int> domain(static_cast<std::size_t>(vertices_));
    boost::connected_components(graph, domain.data());
    return domain;
  }

  ClusterSpec spec_;
  int devices_, vertices_;
  std::vector<Link> links_;
  std::vector<LinkId> next_;
  std::vector<int> domains_;
};

}  // namespace

void check_explicit_graph(const ClusterSpec& spec, int nodes, Diagnostics& errors) {
  const auto fail = [&](std::string path, std::string message, std::string help = {}) {
    add_error(errors, spec, std::move(path), std::move(message), std::move(help));
  };
  const ExplicitGraph& g = spec.graph;
  if (nodes != spec.nodes)
    fail("nodes", fmt::format("must be the {} of the graph, which is used as a whole", spec.nodes));
  const std::int64_t devices = static_cast<std::int64_t>(spec.nodes) * spec.gpus_per_node;
  if (devices * (devices + static_cast<std::int64_t>(g.switches.size())) > kLargestTable)
    return fail("graph", fmt::format("{} devices are too many for an explicit graph", devices), "use a generator");
  const auto names = vertex_names(spec);
  if (names.size() != static_cast<std::size_t>(devices) + g.switches.size())
    fail("graph.switches", "must have names that differ from each other and from those of the GPUs");
  for (std::size_t i = 0; i < g.cables.size(); ++i) {
    const auto& c = g.cables[i];
    const std::string path = fmt::format("graph.cables[{}].", i);
    for (const auto& [key, name] : {std::pair{"from", &c.from}, std::pair{"to", &c.to}})
      if (!names.contains(*name)) fail(path + key, fmt::format("no GPU or switch is called '{}'", *name));
    if (c.from == c.to) fail(path + "to", "must differ from the other end");
    if (c.bandwidth.value <= 0 || c.bandwidth.value > 1'000'000'000'000'000)
      fail(path + "bandwidth", "must be positive and at most 1 PB/s");
    if (c.latency.value < 0 || c.latency.value > kPicosecondsPerSecond)
      fail(path + "latency", "must be between 0 and 1 s");
  }
}

Result<std::unique_ptr<Topology>> make_explicit_graph(const ClusterSpec& spec) {
  Assembly assembly;
  const auto names = vertex_names(spec);
  for (const auto& c : spec.graph.cables)
    assembly.add_cable(names.at(c.from), names.at(c.to), c.bandwidth, c.level, c.latency, c.latency);
  auto topology = std::make_unique<ExplicitTopology>(spec, std::move(assembly.links));
  if (const auto broken = topology->find_routes()) {
    Diagnostics errors;
    add_error(errors, spec, "graph.cables",
              fmt::format("no way from {} to {}", device_name(spec, broken->first), device_name(spec, broken->second)),
              {});
    return errors;
  }
  return std::unique_ptr<Topology>(std::move(topology));
}

}  // namespace orrery::hardware
