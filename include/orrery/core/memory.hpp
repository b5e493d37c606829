// What memory there is.
#pragma once
#include "orrery/core/units.hpp"

namespace orrery {

// Bytes that this process may still take: the least of what the machine has free, its control groups allow and
// `ulimit -v` leaves. Where nothing is known, the largest count.
Bytes available_memory();

// The most that a run may be expected to need where nothing is said: 60 % of that.
Bytes default_memory_limit();

}  // namespace orrery
