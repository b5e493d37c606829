// The step as a distribution: the section `variation`.
#pragma once
#include "orrery/scenario/simulate.hpp"

namespace orrery::scenario {

// [rank] Speed of its kernels in one of the steps: what it should be (and `perturb` says) times
// (1 + gpus · z) · (1 + steps · z'), of a slow GPU times slow_speed; at least a hundredth. z is of the GPU, z' of the
// GPU and the step, both nearly normal. A GPU has the same speed whatever rank runs on it.
std::vector<double> varied_speeds(const Run& run, std::int64_t step);

// Every rank of every step. Errors: too large for the machine.
Result<report::VariedSteps> varied_steps(const Run& run, const RunOptions& options);

}  // namespace orrery::scenario
