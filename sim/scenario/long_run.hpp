// What a scenario says of a run of many steps.
#pragma once
#include "orrery/reliability/goodput.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

// Of a scenario that says what stops it, by the time of one step. A checkpoint holds the weights as they are stored and
// the optimizer states.
reliability::Plan long_run_of(const Scenario& scenario, Time step);

}  // namespace orrery::scenario
