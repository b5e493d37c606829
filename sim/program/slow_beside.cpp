#include "slow_beside.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "dimension_calls.hpp"

namespace orrery::program {
namespace {

struct InFlight {
  Time start{}, end{};
  Slowdown slowdown;
};

bool slower(const Slowdown& a, const Slowdown& b) {
  return static_cast<std::int64_t>(a.numerator) * b.denominator >
         static_cast<std::int64_t>(b.numerator) * a.denominator;
}

// End of work that begins at `at`: between two borders (a call starts or ends) its speed is constant.
Time end_of_work(Time at, Time work, const std::vector<InFlight>& calls) {
  while (work > Time{}) {
    Slowdown now;
    Time border{INT64_MAX};
    for (const InFlight& c : calls) {
      if (c.start > at) border = std::min(border, c.start);
      if (c.start > at || c.end <= at) continue;
      border = std::min(border, c.end);
      if (slower(c.slowdown, now)) now = c.slowdown;
    }
    const Time whole{ceil_div(checked_mul(work.value, now.numerator), now.denominator)};
    if (border.value == INT64_MAX || whole <= border - at) return at + whole;
    work -= Time{checked_mul((border - at).value, now.denominator) / now.numerator};
    at = border;
  }
  return at;
}

}  // namespace

void slow_beside_calls(std::span<Step> steps, const ExecutionPlan& execution) {
  const auto slows = [&](const DimensionCalls& of) {
    const Slowdown s = of.slowdown_in(execution);
    return layout::facts(of.dimension).in_pass && s.numerator != s.denominator;
  };
  if (std::none_of(kDimensionCalls.begin(), kDimensionCalls.end(), slows)) return;
  std::vector<InFlight> calls;
  std::vector<Time> not_before(steps.size() + 1);
  std::array<Time, kLanes> lane_free{};
  Time cursor{};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Step& s = steps[i];
    cursor = std::max(cursor, not_before[i]);
    Time& free = lane_free[static_cast<std::size_t>(s.lane)];
    if (s.lane == Lane::compute || s.needed_by < 0) {
      const Time start = std::max(cursor, free) + s.before;
      if (s.lane == Lane::compute) {
        std::erase_if(calls, [&](const InFlight& c) { return c.end <= start; });
        s.duration = end_of_work(start, s.duration, calls) - start;
      }
      free = cursor = start + s.duration;
      continue;
    }
    const Time start = std::max(cursor, free) + s.before;
    free = start + s.duration;
    const auto waiter = std::min(static_cast<std::size_t>(s.needed_by), steps.size());
    not_before[waiter] = std::max(not_before[waiter], free);
    calls.push_back({start, free, calls_along(dimension_of(s.lane)).slowdown_in(execution)});
  }
}

}  // namespace orrery::program
