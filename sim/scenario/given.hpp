// What a scenario must say, whoever filled it in.
#pragma once
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

// Parts that are missing and values that no table allows: what is left may be computed with.
Diagnostics check_given(const Scenario& scenario);

}  // namespace orrery::scenario
