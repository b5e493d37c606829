// From the words of a scenario to the numbers the lowering takes.
#pragma once
#include "orrery/program/lower.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

layout::PassOptions pass_options(const Scenario& scenario);
layout::StatePlan state_plan(const Scenario& scenario);
program::ExecutionPlan execution_plan(const Scenario& scenario);
// What is sharded while the step runs: the layout, but for stacks that keep FSDP's parameters whole in a pipeline.
layout::Layout running_layout(const Scenario& scenario);

}  // namespace orrery::scenario
