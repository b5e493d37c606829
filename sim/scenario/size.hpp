// Whether a run would be too large for the memory there is, and what was meant if so.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "orrery/scenario/simulate.hpp"

namespace orrery::scenario {

// What is made of a step: all that simulate() says, or what evaluate() does, which keeps no accounts.
enum class Made : std::uint8_t { run, evaluation };

// Empty where it fits. Without a size it is asked before the schedule is made, where it is not known yet into how many
// devices alike ranks fold: then the least number counts.
Diagnostics check_size(const Scenario& scenario, const RunOptions& options,
                       const std::optional<program::Footprint>& size = {}, Made made = Made::run);

// That check_size would say nothing of the lowered step, told without counting what its passes do.
bool surely_small(const Scenario& scenario, const RunOptions& options, Made made);

// What is probably wrong with a batch that is too large, as a remedy.
std::string likely_mistake(const Scenario& scenario);

}  // namespace orrery::scenario
