// FLOPs of a step, counted from the kernels of the passes, and the closed form they must equal.
#pragma once
#include "stage_costs.hpp"

namespace orrery::program {

StepFlops count_flops(const StepInput& input, StageCosts& stages);

// The same from the shape of the model, by the recompute policy and the attention kernels of the run.
StepFlops closed_form_flops(const StepInput& input);

// Korthikanti et al., eq. 8, where the attention core alone is run again.
bool counts_attention_twice(const layout::PassOptions& options);

// What of the count is not as the closed form says; empty: all is.
std::vector<std::string> audit_flops(const StepInput& input, const StepFlops& counted);

}  // namespace orrery::program
