// What a device waits for, stretch by stretch: with its own time they are its split.
#include <doctest/doctest.h>

#include "by_hand.hpp"

namespace orrery::engine::waits_test {

using namespace orrery::engine::testing;

using enum Category;

namespace {

struct Seen {
  std::int64_t begin, end;
  Category category;
  TaskId next, cause;
  bool operator==(const Seen&) const = default;
};
std::vector<Seen> seen(const std::vector<Wait>& waits) {
  std::vector<Seen> result;
  for (const Wait& w : waits) result.push_back({w.begin, w.end, w.category, w.next, w.cause});
  return result;
}

}  // namespace

// Device 0: [0, 5) work, then [5, 12) nothing. Message [5, 7). Device 1: host [0, 1), waits for the work until 5 and
// for the message until 7, works [7, 12).
TEST_CASE("a wait says what for, and what comes behind it") {
  ByHand hand(2);
  hand.host(1, 1);
  const TaskId first = hand.work(0, 5);
  const TaskId message = hand.message(0, 1, 2, {first});
  hand.work(1, 5, {message});
  const Program program = hand.program();
  // finish() numbers tasks anew, in topological order: by what they are.
  const Timeline timeline = evaluate_one_pass(program);
  const auto at = [&](std::int64_t start, std::int64_t end) {
    for (TaskId t = 0; t < program.tasks(); ++t)
      if (timeline.start[t] == start && timeline.end[t] == end) return t;
    return kNone;
  };
  const DeviceIndex both[] = {1, 0};
  const auto waits = waits_of(program, timeline, both);
  REQUIRE(waits.size() == 2);
  // The message is a transfer of its own while it arrives.
  CHECK(seen(waits[0]) == std::vector<Seen>{{0, 5, bubble, at(7, 12), at(0, 5)}});
  // The sender has a transfer of its own until 7, then waits for the end of the step.
  CHECK(seen(waits[1]) == std::vector<Seen>{{7, 12, bubble, kNone, at(7, 12)}});
}

TEST_CASE("blocking launches of its own are waits without a cause") {
  ByHand hand(1);
  hand.block(0, {{3, host}, {5, compute}, {2, host}, {4, compute}});
  const Program program = hand.program();
  const DeviceIndex only[] = {0};
  const auto waits = waits_of(program, evaluate_one_pass(program), only);
  CHECK(seen(waits[0]) == std::vector<Seen>{{0, 3, host, kNone, kNone}, {8, 10, host, kNone, kNone}});
}

TEST_CASE("a step of no length ends when it begins") {
  ByHand hand(1);
  hand.work(0, 0);
  const Timeline timeline = evaluate_one_pass(hand.program());
  CHECK(timeline.makespan == Time{0});
  CHECK(timeline.step_time == Time{0});
}

}  // namespace orrery::engine::waits_test
