// The network written for other tools: Graphviz DOT and GraphML (Gephi, yEd, NetworkX).
#pragma once
#include <string>

#include "orrery/hardware/topology.hpp"

namespace orrery::hardware {

// One undirected edge a cable, labelled with its bandwidth (one direction).
std::string to_dot(const Topology& topology);
// One directed edge a link, with bandwidth (bytes/s), latency (ps) and level.
std::string to_graphml(const Topology& topology);

}  // namespace orrery::hardware
