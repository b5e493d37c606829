// What is done along a path of tasks.
#pragma once
#include <span>

#include "orrery/engine/critical_path.hpp"

namespace orrery::engine {

// A pass counts by what its first device does, piece by piece, however it is cut into tasks (engine/account.hpp).
std::vector<PathStretch> stretches_along(const program::Program& program, const Timeline& timeline,
                                         std::span<const PathTask> path);

}  // namespace orrery::engine
