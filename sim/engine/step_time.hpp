// The time of the last step of a timeline, and whether training has settled by then.
#pragma once
#include "orrery/engine/engine.hpp"

namespace orrery::engine {

Time step_time(const program::Program& program, const Timeline& timeline);

}  // namespace orrery::engine
