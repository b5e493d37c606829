// A scenario as it runs: what the training plan says laid over the stack, and what the stack cannot do taken out of the
// layout.
#pragma once
#include "orrery/program/lower.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

DType compute_type(Precision precision);  // of the linear layers
layout::PassOptions pass_options(const Scenario& scenario);
layout::StateWidths state_widths(const Scenario& scenario);
// Launches that cost nothing here (those of a graph, …) are 0 in it.
cost::Stack running_stack(const Scenario& scenario);
// Of a GPU that the scenario has, at its precision.
cost::KernelModel running_kernels(const Scenario& scenario, const cost::KernelModel& of_gpu);
// What is sharded while the step runs: the layout, but for stacks that keep FSDP's parameters whole in a pipeline.
layout::Layout running_layout(const Scenario& scenario);

}  // namespace orrery::scenario
