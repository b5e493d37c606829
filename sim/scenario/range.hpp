// Numbers of a scenario that leave the range in which a step can be computed.
#pragma once
#include <string>

#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

// The error for a quantity that left 64 bits somewhere in the run, at the key that is furthest beyond what is usual.
Diagnostic out_of_range(const Scenario& scenario, const std::string& what);

}  // namespace orrery::scenario
