// From the words of a scenario to the numbers the lowering takes.
#pragma once
#include "orrery/program/lower.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

struct PlanParts {
  layout::PassOptions pass;
  layout::StatePlan state;
  program::ExecutionPlan execution;
  cost::KernelModel kernels;
};
PlanParts plan_parts(const Scenario& scenario);
// What is sharded while the step runs: the layout, but for stacks that keep FSDP's parameters whole in a pipeline.
layout::Layout running_layout(const Scenario& scenario);

}  // namespace orrery::scenario
