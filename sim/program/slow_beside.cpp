#include "slow_beside.hpp"

#include "dimension_calls.hpp"
#include "pass_clock.hpp"

namespace orrery::program {

void slow_beside_calls(std::span<TimedStep> steps, const cost::StackCommunication& stack) {
  PassTiming timing;
  bool slows = false;
  for (const DimensionCalls& of : kDimensionCalls) {
    const Slowdown s = of.slowdown_in(stack);
    if (!layout::facts(of.dimension).in_pass || s.numerator == s.denominator) continue;
    timing.slowdown[static_cast<std::size_t>(of.lane)] = s;
    slows = true;
  }
  if (!slows) return;
  const PassTimes times = time_pass(steps, timing);
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (steps[i].lane == Lane::compute) steps[i].duration = times.end[i] - times.start[i];
}

}  // namespace orrery::program
