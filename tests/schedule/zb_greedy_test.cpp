// The list scheduler of the zero-bubble search keeps its own clock: it must be the clock of the replay.
#include "schedule/kinds/zb_greedy.hpp"

#include <doctest/doctest.h>

#include "orrery/core/random.hpp"
#include "orrery/schedule/replay.hpp"

namespace orrery::schedule::zb_greedy_test {

using namespace orrery::schedule::kinds;

namespace {

Schedule as_schedule(int ranks, int micro_batches, std::vector<std::vector<Operation>> order) {
  ScheduleRequest request;
  request.name = "zb_h1", request.ranks = ranks, request.micro_batches = micro_batches;
  const auto like = make_schedule(request);
  REQUIRE(like.ok());
  Schedule schedule = *like;
  schedule.order = std::move(order);
  return schedule;
}

}  // namespace

TEST_CASE("the greedy order starts nothing before its message is there") {
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    const int p = 2 + static_cast<int>(random.below(4)), m = p + static_cast<int>(random.below(5));
    StageTimes times;
    for (int r = 0; r < p; ++r) {
      times.forward.push_back(1 + static_cast<std::int64_t>(random.below(6)));
      times.input_gradient.push_back(1 + static_cast<std::int64_t>(random.below(6)));
      times.weight_gradient.push_back(1 + static_cast<std::int64_t>(random.below(6)));
    }
    times.message = static_cast<std::int64_t>(random.below(5));
    std::vector<int> warm_up;
    for (int r = 0; r < p; ++r) warm_up.push_back(p - r);
    ZbGreedy greedy(p, m, p, times);
    using Fill = ZbPolicy::Fill;
    for (const Fill fill : {Fill::fitting, Fill::always, Fill::mostly}) {
      if (!greedy.run({&warm_up, ZbPolicy::Tie::gradient, 0, fill, 0}, 1'000'000)) continue;
      const Replay played = replay(as_schedule(p, m, greedy.order()), times);
      CAPTURE(i);
      REQUIRE(played.deadlock.empty());
      CHECK(played.makespan <= greedy.makespan());  // a W that was put off may begin earlier
    }
  }
}

// F, I, W of 1, a message of 10. Rank 1 runs F0 from 11 to 12 and I0 to 13; I0 of rank 0 starts at 23: span 0 to 25.
TEST_CASE("one micro-batch on two ranks, by hand") {
  const StageTimes times = [] {
    StageTimes t;
    t.forward = t.input_gradient = t.weight_gradient = {1, 1};
    t.message = 10;
    return t;
  }();
  const std::vector<int> warm_up{1, 1};
  ZbGreedy greedy(2, 1, 2, times);
  REQUIRE(greedy.run({&warm_up, ZbPolicy::Tie::gradient, 0, ZbPolicy::Fill::fitting, 0}, 1'000));
  CHECK(greedy.makespan() == 25);
  CHECK(greedy.span() == 25);
}

// Unit times, no messages, 3 micro-batches. Rank 1 has run F0 from 1 to 2: F1 and I0 can both start now.
TEST_CASE("where forward and input gradient can both start, the policy decides") {
  StageTimes times;
  times.forward = times.input_gradient = times.weight_gradient = {1, 1};
  const auto order = [&](ZbPolicy::Tie tie, const std::vector<int>& warm_up) {
    ZbGreedy greedy(2, 3, 3, times);
    REQUIRE(greedy.run({&warm_up, tie, -1, ZbPolicy::Fill::fitting, 0}, 1'000));
    std::string kinds;
    const std::vector<std::vector<Operation>> all = greedy.order();
    for (const Operation& o : all[1])
      kinds += o.kind == OpKind::forward ? 'F' : o.kind == OpKind::input_gradient ? 'I' : 'W';
    return kinds.substr(0, 4);
  };
  CHECK(order(ZbPolicy::Tie::gradient, {3, 1}) == "FIFI");
  CHECK(order(ZbPolicy::Tie::forward, {3, 1}) == "FFFI");
  CHECK(order(ZbPolicy::Tie::forward_below_warm_up, {3, 1}) == "FIFI");
  CHECK(order(ZbPolicy::Tie::gradient, {3, 2}) == "FFII");
  CHECK(order(ZbPolicy::Tie::forward_below_warm_up, {3, 2}) == "FFIF");
}

}  // namespace orrery::schedule::zb_greedy_test
