// FLOPs of a step, counted from the kernels of the passes, and the closed form they must equal.
#pragma once
#include "stage_costs.hpp"

namespace orrery::program {

StepFlops count_flops(const StepInput& plan, StageCosts& stages);

// The same from the shape of the model, by the recompute policy and the attention kernels of the plan.
StepFlops closed_form_flops(const StepInput& plan);

// What of the count is not as the closed form says; empty: all is.
std::vector<std::string> audit_flops(const StepInput& plan, const StepFlops& counted);

}  // namespace orrery::program
