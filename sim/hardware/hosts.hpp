// Hosts laid over a network: their memory as a vertex of each node, and the links that reach it.
#pragma once
#include <memory>

#include "orrery/core/fields.hpp"
#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware {

const Fields<Host>& host_fields();

// What a host must satisfy before its memory is a place for anything.
void check_host(const ClusterSpec& spec, Diagnostics& errors);

// The links of the network keep their ids.
std::unique_ptr<Topology> with_hosts(std::unique_ptr<Topology> network, const ClusterSpec& spec);

}  // namespace orrery::hardware
