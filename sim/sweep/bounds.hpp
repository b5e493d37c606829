// What no layout can be better than, told without playing it.
#pragma once
#include "orrery/scenario/scenario.hpp"

namespace orrery::sweep {

struct Bounds {
  double step_time_ps = 0;  // the step takes at least so long
  double memory_bytes = 0;  // and the fullest GPU allocates at least so much
};

// Time: the products of the linear layers, run again where all is recomputed, at the best rate of the kernels. A rank
// does those of its stages for every micro-batch; before the first of them a forward pass has gone through all stages
// before, and behind the last a backward pass goes back through them (schedules with whole backward passes, in which
// rank r holds stages r, r + p, …). Memory: parameters, gradients and optimizer state, spread as evenly as can be.
// `scenario` has a schedule; 0 where nothing is known.
Bounds bounds_of(const scenario::Scenario& scenario);

// Bytes that the GPU with the most of them has for what is allocated.
double tensor_memory(const scenario::Scenario& scenario);

}  // namespace orrery::sweep
