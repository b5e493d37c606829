// A network given vertex by vertex. Every route is looked up in a table of next links, so it is for small clusters.
#pragma once
#include <memory>

#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware {

void check_explicit_graph(const ClusterSpec& spec, int nodes, Diagnostics& errors);
// An error names two devices without a way between them.
Result<std::unique_ptr<Topology>> make_explicit_graph(const ClusterSpec& spec);

}  // namespace orrery::hardware
