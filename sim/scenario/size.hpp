// Whether a run would be too large for the memory there is, and what was meant if so.
#pragma once
#include <optional>
#include <string>

#include "orrery/scenario/simulate.hpp"

namespace orrery::scenario {

// Empty where it fits. Without a size it is asked before the schedule is made, where it is not known yet into how many
// devices alike ranks fold: then the least number counts.
Diagnostics check_size(const Scenario& scenario, const RunOptions& options,
                       const std::optional<program::Footprint>& size = {});

// That check_size would say nothing of the lowered step, told without counting what its passes do.
bool surely_small(const Scenario& scenario, const RunOptions& options);

// What is probably wrong with a batch that is too large, as a remedy.
std::string likely_mistake(const Scenario& scenario);

}  // namespace orrery::scenario
