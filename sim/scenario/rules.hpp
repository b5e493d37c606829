// What must hold between the sections of a scenario. Diagnostics carry paths only; the tree that was read gives places.
#pragma once
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

Diagnostics check_rules(const Scenario& scenario, std::optional<Bytes> memory_limit);
// The schedule of the scenario, or why it cannot be.
// `times` of the stages matter to searched schedules only (empty = all alike).
Result<schedule::Schedule> make_schedule(const Scenario& scenario, const schedule::StageTimes& times = {});
bool is_searched(const Scenario& scenario);

}  // namespace orrery::scenario
