// A forward and a backward pass as one: what of the communication hides, by hand.
#include "program/overlap.hpp"

#include <doctest/doctest.h>

#include "orrery/program/builder.hpp"
#include "program/block.hpp"

namespace orrery::program::overlap_test {

namespace {

TimedStep compute(std::int64_t ps) {
  TimedStep step;
  step.duration = Time{ps};
  return step;
}
TimedStep call(std::int64_t ps, std::uint32_t beside = 0) {
  TimedStep step = compute(ps);
  step.lane = Lane::tensor;
  step.category = Category::tensor_comm;
  step.beside = beside;
  return step;
}

Time joint_time(const Pass& forward, const Pass& backward, int percent) {
  const Pass joint = joint_pass(joint_order(forward, backward, percent), forward, backward, percent);
  return make_block(joint.steps).duration;
}

}  // namespace

TEST_CASE("the calls of one half run beside the compute of the other") {
  const Pass forward{{compute(10), call(4), compute(10), call(4)}},
      backward{{compute(20), call(4), compute(20), call(4)}};
  // One after the other: 28 + 48.
  CHECK(joint_time(forward, backward, 0) == Time{76});
  // B 0-20, F 20-30 beside B's call, B 30-50 beside F's, F 50-60 beside B's; F's last call has nothing left beside it.
  CHECK(joint_time(forward, backward, 100) == Time{64});
  // Every second call: the first of each half stops both (4 + 4 more), F's last again stands alone.
  CHECK(joint_time(forward, backward, 50) == Time{72});
  // Calls longer than the compute beside them share one lane: B 0-20, its call 20-50, F's 50-80 (its compute 20-30 is
  // long over), B 50-70, its call 80-110 after F's, F 80-90, its call 110-140.
  const Pass slow_forward{{compute(10), call(30), compute(10), call(30)}},
      slow_backward{{compute(20), call(30), compute(20), call(30)}};
  CHECK(joint_time(slow_forward, slow_backward, 100) == Time{140});
  CHECK(joint_time({{}}, backward, 100) == Time{48});
}

TEST_CASE("calls that a pass overlaps by itself still do") {
  // B's call runs beside its own 5 and F's 10; the step behind waits.
  const Pass forward{{compute(10)}}, backward{{compute(20), call(15, 1), compute(5), compute(5)}};
  CHECK(make_block(backward.steps).duration == Time{40});
  for (const int percent : {0, 100}) {
    const JointOrder order = joint_order(forward, backward, percent);
    CHECK(order.steps.size() == 5);
    // B 0-20, call 20-35, B 20-25 and F 25-35 in either order, B 35-40.
    CHECK(joint_time(forward, backward, percent) == Time{40});
  }
}

TEST_CASE("the order keeps that of each half, and says where each step went") {
  const Pass forward{{compute(1), call(2), compute(3)}}, backward{{compute(2), call(1), compute(1), call(5)}};
  const JointOrder order = joint_order(forward, backward, 100);
  for (int h = 0; h < 2; ++h) {
    const std::size_t steps = h == 0 ? 3 : 4;
    REQUIRE(order.at[h].size() == steps + 1);
    CHECK(order.at[h].back() == 7);
    for (std::size_t i = 0; i < steps; ++i) {
      const JointOrder::Place& at = order.steps[order.at[h][i]];
      CHECK(at.half == h);
      CHECK(at.index == i);
      if (i > 0) CHECK(order.at[h][i] > order.at[h][i - 1]);
    }
  }
}

TEST_CASE("an overlapped operation is named by both of its halves") {
  Operation op{0, Activity::overlapped, 0, 2, 7};
  op.backward_stage = 5;
  op.backward_micro_batch = 3;
  CHECK(operation_name(op) == "F7 B3");
  op.pipe = 1;
  CHECK(operation_name(op) == "F7@1 B3");
}

}  // namespace orrery::program::overlap_test
