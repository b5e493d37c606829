// Counters of a trace: steps of a curve, few enough for the viewers.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

namespace orrery::report {

using Curve = std::vector<std::pair<std::int64_t, double>>;  // ns ascending, and the value from then on

// Only where it changes, the last of each nanosecond; of more than `most` the highest of each run of neighbours stays,
// so that peaks do, and the first and the last.
Curve thinned(const Curve& curve, std::size_t most);

}  // namespace orrery::report
