// Routes on a network in which something may be down.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware {

// The network with links and devices made slow or taken down, but for what passes. A route that a broken link lies on
// takes the first whole one of the fabric's equal routes, else the shortest that is left. Links keep their ids. Errors
// name what is not there.
Result<std::unique_ptr<Topology>> perturbed(std::unique_ptr<Topology> topology,
                                            const std::vector<Perturbation>& changes);

// The same network while these are so, too. Nothing is routed anew: links that are down stand.
std::shared_ptr<const Topology> while_perturbed(std::shared_ptr<const Topology> topology,
                                                const std::vector<Perturbation>& changes);

// The route, or an error that names both devices.
Result<std::vector<LinkId>> find_route(const Topology& topology, DeviceId from, DeviceId to);

// An error for each device of the group that the first one cannot reach or that cannot reach it back; to be asked
// before a group is used, for then `route` is safe between its members over any relay that works.
Diagnostics check_connected(const Topology& topology, std::span<const DeviceId> group);

}  // namespace orrery::hardware
