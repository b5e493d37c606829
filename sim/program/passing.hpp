// Steps in which something is slow or down for a part of the time.
#pragma once
#include "costs.hpp"

namespace orrery::program {

// The step is lowered as it is outside of those parts (`parts`, with costs) and once for each state that it is in
// meanwhile; the tasks are the same, and of each the Program knows how long it takes in which.
Result<LoweredStep> lower_passing(const StepInput& input, const LowerOptions& options, StepParts parts, Costs& costs);

}  // namespace orrery::program
