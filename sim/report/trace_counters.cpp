#include "trace_counters.hpp"

#include <algorithm>

namespace orrery::report {

Curve thinned(const Curve& curve, std::size_t most) {
  Curve result;
  for (const auto& [time, value] : curve) {
    if (!result.empty() && result.back().first == time) result.pop_back();
    if (result.empty() || result.back().second != value) result.emplace_back(time, value);
  }
  if (result.size() <= most) return result;
  const std::size_t run = (result.size() + most - 1) / most;
  std::size_t kept = 1;  // the first sample is that of time 0
  for (std::size_t i = 1; i + 1 < result.size(); i += run) {
    const auto begin = result.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = result.begin() + static_cast<std::ptrdiff_t>(std::min(i + run, result.size() - 1));
    result[kept++] = *std::max_element(begin, end, [](const auto& a, const auto& b) { return a.second < b.second; });
  }
  result[kept++] = result.back();
  result.resize(kept);
  return result;
}

}  // namespace orrery::report
