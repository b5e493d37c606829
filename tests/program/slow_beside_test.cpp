// Kernels beside overlapped calls of their own pass.
#include "program/slow_beside.hpp"

#include <doctest/doctest.h>

namespace orrery::program::slow_beside_test {

namespace {

TimedStep compute(std::int64_t ps) {
  TimedStep step;
  step.duration = {ps};
  return step;
}
TimedStep call(std::int64_t ps, std::uint32_t beside, Lane lane = Lane::tensor) {
  TimedStep step = compute(ps);
  step.lane = lane;
  step.beside = beside;
  return step;
}
// Percent of the time that kernels take beside tensor and context calls.
std::vector<std::int64_t> slowed(std::vector<TimedStep> steps, int tensor, int context = 100) {
  cost::StackCommunication stack;
  stack.tensor_slowdown_percent = tensor, stack.context_slowdown_percent = context;
  slow_beside_calls(steps, stack);
  std::vector<std::int64_t> times;
  for (const TimedStep& s : steps) times.push_back(s.duration.value);
  return times;
}

}  // namespace

TEST_CASE("a kernel runs at denominator/numerator of its speed while a call is in flight") {
  // The call ends at 100; until then 50 of the 80 are done at half speed, the other 30 at full speed.
  CHECK(slowed({call(100, 1), compute(80)}, 200) == std::vector<std::int64_t>{100, 130});
  // Shorter than the call: all of it at half speed, and the next kernel begins inside the call too: 100 - 60 = 40 left
  // of it do 20 of 25.
  CHECK(slowed({call(100, 2), compute(30), compute(25)}, 200) == std::vector<std::int64_t>{100, 60, 45});
  // 11/10, rounded up: 7 take 7.7.
  CHECK(slowed({call(100, 1), compute(7)}, 110) == std::vector<std::int64_t>{100, 8});
}

TEST_CASE("a call that is waited for slows nothing") {
  CHECK(slowed({call(100, 0), compute(80)}, 200) == std::vector<std::int64_t>{100, 80});
  CHECK(slowed({compute(80), call(100, 1)}, 200) == std::vector<std::int64_t>{80, 100});
  CHECK(slowed({call(100, 1), compute(80)}, 100) == std::vector<std::int64_t>{100, 80});
}

TEST_CASE("calls of a lane follow each other, of two lanes the one that slows more holds") {
  // Tensor calls from 0 to 40 and 40 to 80: 80 at half speed is 40 of 50, 10 more at full speed.
  CHECK(slowed({call(40, 2), call(40, 1), compute(50)}, 200) == std::vector<std::int64_t>{40, 40, 90});
  // Context at 4/1 until 40 (10 done), tensor at 2/1 until 80 (20 done), 20 left.
  CHECK(slowed({call(80, 2), call(40, 1, Lane::context), compute(50)}, 200, 400) ==
        std::vector<std::int64_t>{80, 40, 100});
}

}  // namespace orrery::program::slow_beside_test
