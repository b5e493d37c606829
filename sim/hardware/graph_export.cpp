#include "orrery/hardware/graph_export.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/graph/graphml.hpp>
#include <boost/graph/graphviz.hpp>
#include <locale>
#include <sstream>

#include "graph.hpp"
#include "orrery/core/show.hpp"

namespace orrery::hardware {
namespace {

constexpr std::array<const char*, 6> kLevels{"scale_up", "nic", "leaf", "spine", "core", "other"};

std::string level_name(LinkLevel level) {
  return kLevels[static_cast<std::size_t>(level)];
}

// A name between the quotes of DOT, where a backslash begins an escape.
std::string dot_text(const std::string& name) {
  std::string text;
  for (const char c : safe_to_show(name, Shown::one_line)) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

struct VertexText {
  std::string name;
};
struct LinkText {
  std::string level;
  long bandwidth = 0;
  long latency = 0;
};

}  // namespace

std::string to_dot(const Topology& topology) {
  // Cables only: a forward link stands for both directions.
  const auto& links = topology.links();
  std::vector<char> forward(links.size());
  for (std::size_t i = 0; i < links.size(); i += 2) forward[i] = 1;
  const Graph graph = make_graph(links, topology.vertices(), forward);
  boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, boost::no_property, LinkId> cables(
      boost::num_vertices(graph));
  for (const auto edge : boost::make_iterator_range(boost::edges(graph)))
    boost::add_edge(boost::source(edge, graph), boost::target(edge, graph), graph[edge], cables);

  std::ostringstream out;
  out.imbue(std::locale::classic());
  const auto vertex = [&](std::ostream& o, std::size_t v) {
    const bool device = static_cast<int>(v) < topology.devices();
    o << fmt::format("[label=\"{}\", shape={}]", dot_text(topology.vertex_name(static_cast<VertexId>(v))),
                     device ? "box" : "ellipse");
  };
  const auto edge = [&](std::ostream& o, const auto& e) {
    const Link& link = links[static_cast<std::size_t>(cables[e])];
    o << fmt::format("[label=\"{} GB/s\", class={}]", static_cast<double>(link.bandwidth.value) / 1e9,
                     level_name(link.level));
  };
  boost::write_graphviz(out, cables, vertex, edge);
  return out.str();
}

std::string to_graphml(const Topology& topology) {
  boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, VertexText, LinkText> graph(
      static_cast<std::size_t>(topology.vertices()));
  for (VertexId v = 0; v < topology.vertices(); ++v)
    graph[static_cast<std::size_t>(v)].name = safe_to_show(topology.vertex_name(v), Shown::one_line);
  for (const Link& link : topology.links())
    boost::add_edge(static_cast<std::size_t>(link.from), static_cast<std::size_t>(link.to),
                    LinkText{level_name(link.level), link.bandwidth.value, link.latency.value}, graph);
  boost::dynamic_properties properties;
  properties.property("name", boost::get(&VertexText::name, graph));
  properties.property("level", boost::get(&LinkText::level, graph));
  properties.property("bandwidth_bytes_per_s", boost::get(&LinkText::bandwidth, graph));
  properties.property("latency_ps", boost::get(&LinkText::latency, graph));
  std::ostringstream out;
  out.imbue(std::locale::classic());
  boost::write_graphml(out, graph, properties, /*ordered_vertices=*/true);
  return out.str();
}

}  // namespace orrery::hardware
