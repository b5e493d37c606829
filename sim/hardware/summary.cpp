#include "orrery/hardware/summary.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/push_relabel_max_flow.hpp>
#include <limits>
#include <vector>

#include "orrery/core/error.hpp"

namespace orrery::hardware {
namespace {

enum class Part : std::uint8_t { device, nic, scale_up, leaf, spine, core };

// What a vertex is, from the cables that reach it: each level's cables start at the level below.
std::vector<Part> parts(const Topology& topology) {
  std::vector<Part> part(static_cast<std::size_t>(topology.vertices()), Part::nic);
  std::fill_n(part.begin(), topology.devices(), Part::device);
  const auto raise = [&](VertexId v, Part to) {
    Part& p = part[static_cast<std::size_t>(v)];
    if (p == Part::nic) p = to;
  };
  const auto& links = topology.links();
  for (const auto& [level, to] : {std::pair{LinkLevel::scale_up, Part::scale_up}, std::pair{LinkLevel::nic, Part::leaf},
                                  std::pair{LinkLevel::leaf, Part::spine}, std::pair{LinkLevel::spine, Part::core}})
    for (std::size_t i = 0; i < links.size(); i += 2)
      if (links[i].level == level) raise(links[i].to, to);
  return part;
}

int most_links(const Topology& topology) {
  const int n = topology.devices();
  const int step = n <= 512 ? 1 : n - 1;
  std::size_t most = 0;
  std::vector<LinkId> route;
  for (DeviceId from = 0; from < n; from += std::max(step, 1))
    for (DeviceId to = 0; to < n; ++to) {
      route.clear();
      if (topology.connected(from, to)) topology.route(from, to, route);
      most = std::max(most, route.size());
    }
  return static_cast<int>(most);
}

}  // namespace

BytesPerSecond bandwidth_across(const Topology& topology, int half) {
  using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
  struct Edge {
    std::int64_t capacity = 0, residual = 0;
    Traits::edge_descriptor reverse;
  };
  using FlowGraph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Edge>;
  const auto n = static_cast<std::size_t>(topology.vertices());
  const std::size_t source = n, sink = n + 1;
  FlowGraph graph(n + 2);
  // Boost wants each edge to have a reverse of capacity 0, so the two links of a cable are two such pairs.
  const auto add = [&](std::size_t from, std::size_t to, std::int64_t capacity) {
    const auto edge = boost::add_edge(from, to, Edge{capacity, 0, {}}, graph).first;
    const auto reverse = boost::add_edge(to, from, Edge{}, graph).first;
    graph[edge].reverse = reverse;
    graph[reverse].reverse = edge;
  };
  std::vector<std::int64_t> sent(static_cast<std::size_t>(topology.devices()));  // most that a device can
  std::vector<std::int64_t> received = sent;
  for (const Link& link : topology.links()) {
    const auto from = static_cast<std::size_t>(link.from), to = static_cast<std::size_t>(link.to);
    add(from, to, link.bandwidth.value);
    if (from < sent.size()) sent[from] = checked_add(sent[from], link.bandwidth.value);
    if (to < received.size()) received[to] = checked_add(received[to], link.bandwidth.value);
  }
  std::int64_t most = 0;
  for (std::size_t d = 0; d < sent.size(); ++d) {
    if (static_cast<int>(d) < half) {
      add(source, d, sent[d]);
      most = checked_add(most, sent[d]);  // so that no sum of flows overflows
    } else {
      add(d, sink, received[d]);
    }
  }
  return {boost::push_relabel_max_flow(graph, source, sink, boost::get(&Edge::capacity, graph),
                                       boost::get(&Edge::residual, graph), boost::get(&Edge::reverse, graph),
                                       boost::get(boost::vertex_index, graph))};
}

SwitchCounts count_switches(const Topology& topology) {
  const std::vector<Part> part = parts(topology);
  const auto count = [&](Part p) { return static_cast<int>(std::count(part.begin(), part.end(), p)); };
  return {count(Part::nic), count(Part::scale_up), count(Part::leaf), count(Part::spine), count(Part::core)};
}

TopologySummary summarize(const Topology& topology) {
  TopologySummary s;
  s.devices = topology.devices();
  s.nodes = s.devices / std::max(1, topology.devices_per_node());
  s.switches = count_switches(topology);
  s.cables = static_cast<std::int64_t>(topology.links().size() / 2);
  if (s.devices > 1) s.bisection_bandwidth = bandwidth_across(topology, s.devices / 2);
  s.diameter = most_links(topology);
  return s;
}

}  // namespace orrery::hardware
