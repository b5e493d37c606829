#include "graph.hpp"

#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/reverse_graph.hpp>

namespace orrery::hardware {

Graph make_graph(const std::vector<Link>& links, int vertices, const std::vector<char>& usable) {
  Graph graph(static_cast<std::size_t>(vertices));
  for (std::size_t i = 0; i < links.size(); ++i)
    if (usable.empty() || usable[i] != 0)
      boost::add_edge(static_cast<std::size_t>(links[i].from), static_cast<std::size_t>(links[i].to),
                      static_cast<LinkId>(i), graph);
  return graph;
}

std::vector<int> hops_to(const Graph& graph, VertexId target) {
  const auto start = static_cast<std::size_t>(target);
  std::vector<int> hops(boost::num_vertices(graph), -1);
  hops[start] = 0;
  const auto reversed = boost::make_reverse_graph(graph);
  const auto recorder = boost::make_bfs_visitor(boost::record_distances(hops.data(), boost::on_tree_edge()));
  boost::breadth_first_search(reversed, start, boost::visitor(recorder));
  return hops;
}

LinkId next_link(const Graph& graph, VertexId at, const std::vector<int>& hops) {
  const auto here = static_cast<std::size_t>(at);
  LinkId best = -1;
  for (const auto edge : boost::make_iterator_range(boost::out_edges(here, graph)))
    if (hops[boost::target(edge, graph)] == hops[here] - 1 && (best < 0 || graph[edge] < best)) best = graph[edge];
  return best;
}

bool shortest_path(const Graph& graph, VertexId from, VertexId to, std::vector<LinkId>& out) {
  const std::vector<int> hops = hops_to(graph, to);
  if (hops[static_cast<std::size_t>(from)] < 0) return false;
  for (VertexId at = from; at != to;) {
    const LinkId link = next_link(graph, at, hops);
    out.push_back(link);
    const auto here = static_cast<std::size_t>(at);
    for (const auto edge : boost::make_iterator_range(boost::out_edges(here, graph)))
      if (graph[edge] == link) at = static_cast<VertexId>(boost::target(edge, graph));
  }
  return true;
}

}  // namespace orrery::hardware
