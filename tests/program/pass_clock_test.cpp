// When each step of a pass begins, by hand: lanes, calls beside compute, the host, slowdowns, a second pass.
#include "program/pass_clock.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "orrery/core/random.hpp"

namespace orrery::program::pass_clock_test {

namespace {

TimedStep compute(std::int64_t ps) {
  TimedStep step;
  step.duration = {ps};
  return step;
}
TimedStep call(std::int64_t ps, std::uint32_t beside = 0, Lane lane = Lane::tensor) {
  TimedStep step = compute(ps);
  step.lane = lane, step.beside = beside;
  return step;
}

using Spans = std::vector<std::pair<std::int64_t, std::int64_t>>;
// Start and end of each step; at the end the end of the pass, twice.
Spans spans(const std::vector<TimedStep>& steps, const PassTiming& timing = {}) {
  const PassTimes times = time_pass(steps, timing);
  Spans result;
  for (std::size_t i = 0; i < steps.size(); ++i) result.emplace_back(times.start[i].value, times.end[i].value);
  result.emplace_back(times.finish.value, times.finish.value);
  return result;
}
PassTiming slowed_by(Lane lane, Slowdown slowdown) {
  PassTiming timing;
  timing.slowdown[static_cast<std::size_t>(lane)] = slowdown;
  return timing;
}

using Follows = std::vector<std::vector<std::uint32_t>>;
constexpr std::uint32_t kBefore = PassOrder::kBefore;
// Whom each step follows, and at the end whom the next pass does.
Follows follows(const std::vector<TimedStep>& steps) {
  PassOrder order;
  Follows result;
  for (const TimedStep& s : steps) {
    result.push_back(order.before_next());
    order.take(s);
  }
  result.push_back(order.before_end());
  return result;
}

}  // namespace

TEST_CASE("steps that are waited for follow each other, whatever their lanes") {
  CHECK(spans({compute(5), call(7), compute(2)}) == Spans{{0, 5}, {5, 12}, {12, 14}, {14, 14}});
  CHECK(spans({}) == Spans{{0, 0}});
  CHECK(follows({compute(5), call(7), compute(2)}) == Follows{{kBefore}, {0}, {1}, {2}});
}

TEST_CASE("a call runs beside so many steps, and the one behind them waits for it") {
  // The call is made at 5, beside 4 and 6; the last step could begin at 15.
  const std::vector<TimedStep> steps{compute(5), call(20, 2), compute(4), compute(6), compute(1)};
  CHECK(spans(steps) == Spans{{0, 5}, {5, 25}, {5, 9}, {9, 15}, {25, 26}, {26, 26}});
  CHECK(follows(steps) == Follows{{kBefore}, {0}, {0}, {2}, {3, 1}, {4}});
  // A short one is not noticed.
  CHECK(spans({compute(5), call(3, 2), compute(4), compute(6), compute(1)}) ==
        Spans{{0, 5}, {5, 8}, {5, 9}, {9, 15}, {15, 16}, {16, 16}});
}

TEST_CASE("what is cut off behind a call waits for it at the end") {
  CHECK(spans({call(20, 5), compute(4)}) == Spans{{0, 20}, {0, 4}, {20, 20}});
  CHECK(follows({call(20, 5), compute(4)}) == Follows{{kBefore}, {kBefore}, {1, 0}});
  CHECK(follows({call(20, 5)}) == Follows{{kBefore}, {kBefore, 0}});
}

TEST_CASE("calls of a lane take turns, calls of two lanes do not") {
  CHECK(spans({call(10, 2), call(10, 2), compute(3), compute(1), compute(1)}) ==
        Spans{{0, 10}, {10, 20}, {0, 3}, {10, 11}, {20, 21}, {21, 21}});
  CHECK(spans({call(10, 2), call(10, 2, Lane::context), compute(3), compute(1), compute(1)}) ==
        Spans{{0, 10}, {0, 10}, {0, 3}, {10, 11}, {11, 12}, {12, 12}});
  // A call that is waited for queues behind one that is not.
  CHECK(spans({call(10, 2), compute(3), call(4), compute(1)}) == Spans{{0, 10}, {0, 3}, {10, 14}, {14, 15}, {15, 15}});
}

TEST_CASE("a call beside others joins what follows it, also where that is a call itself") {
  // Step 2 waits for the first call and is beside step 3, which waits for it no less.
  const std::vector<TimedStep> steps{call(10, 1), compute(2), call(5, 1, Lane::context), compute(1), compute(1)};
  CHECK(follows(steps) == Follows{{kBefore}, {kBefore}, {1, 0}, {1, 0}, {3, 2}, {4}});
  CHECK(spans(steps) == Spans{{0, 10}, {0, 2}, {10, 15}, {10, 11}, {15, 16}, {16, 16}});
}

TEST_CASE("a ring: each block arrives beside the kernel before its own") {
  const std::vector<TimedStep> ring{call(8, 2, Lane::context), compute(5), call(8, 1, Lane::context), compute(5),
                                    compute(5)};
  CHECK(follows(ring) == Follows{{kBefore}, {kBefore}, {1}, {1, 0}, {3, 2}, {4}});
  // The second block follows the first on the lane: 8-16; kernels 0-5, 8-13, 16-21.
  CHECK(spans(ring) == Spans{{0, 8}, {0, 5}, {8, 16}, {8, 13}, {16, 21}, {21, 21}});
}

TEST_CASE("the host launches steps in turn, or stands between them") {
  std::vector<TimedStep> steps{compute(3), compute(3), compute(30), compute(1)};
  for (TimedStep& s : steps) s.launch = {10};
  PassTiming host;
  host.host = true;
  CHECK(spans(steps, host) == Spans{{10, 13}, {20, 23}, {30, 60}, {60, 61}, {61, 61}});
  CHECK(spans(steps) == Spans{{0, 3}, {3, 6}, {6, 36}, {36, 37}, {37, 37}});
  for (TimedStep& s : steps) s.before = s.launch, s.launch = {};
  CHECK(spans(steps, host) == Spans{{10, 13}, {23, 26}, {36, 66}, {76, 77}, {77, 77}});
}

TEST_CASE("work is slower while a call of the lane runs beside it, and all behind it is later") {
  // 10 of the first at half speed are 20; of the second 5 until 30, and 5 at full speed.
  CHECK(spans({call(30, 3), compute(10), compute(10), compute(4)}, slowed_by(Lane::tensor, {2, 1})) ==
        Spans{{0, 30}, {0, 20}, {20, 35}, {35, 39}, {39, 39}});
  CHECK(spans({call(30, 3), compute(10)}, slowed_by(Lane::context, {2, 1})) == Spans{{0, 30}, {0, 10}, {30, 30}});
  // The second call begins later because the work before it was slowed, and slows what is left.
  CHECK(spans({call(10, 3), compute(5), call(10, 1), compute(8), compute(1)}, slowed_by(Lane::tensor, {2, 1})) ==
        Spans{{0, 10}, {0, 10}, {10, 20}, {10, 23}, {23, 24}, {24, 24}});
}

TEST_CASE("a step put in front changes no other") {
  const std::vector<TimedStep> steps{call(20, 2), compute(4), compute(6), compute(1)};
  std::vector<TimedStep> behind = steps;
  behind.insert(behind.begin(), call(7));
  Spans expected = spans(steps);
  for (auto& [start, end] : expected) start += 7, end += 7;
  expected.insert(expected.begin(), {0, 7});
  CHECK(spans(behind) == expected);
}

TEST_CASE("two passes on one clock: work takes turns, a hidden call leaves it to the other") {
  PassClock clock(2);
  clock.take(compute(10), Time{10}, 0);
  CHECK(clock.ready(compute(5), 1) == Time{10});  // its own pass has not begun, but the lane is taken
  CHECK(clock.ready(call(5), 1) == Time{10});     // a call that is waited for needs it too
  CHECK(clock.ready(call(5), 1, true) == Time{0});
  CHECK(clock.ready(call(5, 1), 1) == Time{0});
  clock.take(call(30), Time{40}, 0, true);
  CHECK(clock.ready(compute(5), 1) == Time{10});
  CHECK(clock.ready(compute(5), 0) == Time{40});
  CHECK(clock.ready(call(5), 1, true) == Time{0});
  CHECK(clock.start(call(5), 1, true) == Time{40});  // the lane of calls is one
  clock.take(compute(5), Time{15}, 1);
  CHECK(clock.finish(0) == Time{40});
  CHECK(clock.finish(1) == Time{15});
}

TEST_CASE("edges and lanes say all: the times of drawn passes are the longest paths") {
  Random random(11);
  for (int n = 0; n < 300; ++n) {
    std::vector<TimedStep> steps;
    for (std::int64_t count = random.between(1, 12); count > 0; --count) {
      const bool comm = random.between(0, 1) == 1;
      steps.push_back(comm ? call(random.between(1, 20), static_cast<std::uint32_t>(random.between(0, 4)),
                                  random.between(0, 1) ? Lane::tensor : Lane::context)
                           : compute(random.between(1, 20)));
    }
    const Follows before = follows(steps);
    std::vector<std::int64_t> ends;
    const auto ended = [&](const std::vector<std::uint32_t>& whom) {
      std::int64_t at = 0;
      for (const std::uint32_t step : whom) at = std::max(at, step == kBefore ? 0 : ends[step]);
      return at;
    };
    Spans expected;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      std::int64_t at = ended(before[i]);
      for (std::size_t j = 0; j < i; ++j)
        if (steps[j].lane == steps[i].lane) at = std::max(at, ends[j]);
      expected.emplace_back(at, at + steps[i].duration.value);
      ends.push_back(expected.back().second);
    }
    expected.emplace_back(ended(before.back()), ended(before.back()));
    REQUIRE(spans(steps) == expected);
  }
}

}  // namespace orrery::program::pass_clock_test
