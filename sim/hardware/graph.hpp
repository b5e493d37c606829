// The cluster as a Boost.Graph graph: the same vertices and links, for searching and export. Not for hot code.
#pragma once
#include <boost/graph/adjacency_list.hpp>
#include <vector>

#include "orrery/hardware/topology.hpp"

namespace orrery::hardware {

using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, boost::no_property, LinkId>;

// `usable` by link id; empty = all.
Graph make_graph(const std::vector<Link>& links, int vertices, const std::vector<char>& usable = {});

// Hops from each vertex to `target`; −1 where there is no way.
std::vector<int> hops_to(const Graph& graph, VertexId target);

// A shortest path in hops, at each vertex by the link of lowest id; false when there is none.
bool shortest_path(const Graph& graph, VertexId from, VertexId to, std::vector<LinkId>& out);
// The link to take at `at`, given the hops to the target (at is not the target and reaches it).
LinkId next_link(const Graph& graph, VertexId at, const std::vector<int>& hops);

}  // namespace orrery::hardware
