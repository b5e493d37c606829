// What overlapped calls of a pass cost the kernels beside them.
#pragma once
#include <span>

#include "orrery/program/lower.hpp"

namespace orrery::program {

// Stretches the compute steps of a pass while calls of it are in flight beside them (shared multiprocessors, memory
// bandwidth, power): work then takes numerator/denominator of its time; of several calls the slowest holds. The times
// of the calls are those of `duration`, so where links are shared with whatever is in flight this is the nominal cost.
void slow_beside_calls(std::span<TimedStep> steps, const cost::StackCommunication& stack);

}  // namespace orrery::program
