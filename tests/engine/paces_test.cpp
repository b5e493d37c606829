// Tasks that are slow for a part of the step, by hand.
#include "engine/paces.hpp"

#include <doctest/doctest.h>

#include "by_hand.hpp"
#include "orrery/core/random.hpp"
#include "orrery/engine/lateness.hpp"
#include "orrery/program/schedule_program.hpp"

namespace orrery::engine::paces_test {

using namespace testing;

namespace {

// In state 1 each task of the device takes so many times as long, or stands. Passes are played step by step.
void slow_down(Program& program, DeviceIndex device, std::int64_t times, std::int64_t from, std::int64_t until) {
  for (TaskTemplate& t : program.templates) t.segments = {};
  Stretches& s = program.stretches;
  s.begin = {{from}, {until}};
  s.state = {1, 0};
  s.states = 2;
  s.links.resize(2);
  for (TaskId task = 0; task < program.tasks(); ++task) {
    const Time takes = program.template_of(task).duration;
    const bool of_it = program.participant(task).device == device;
    s.pace.push_back(of_it ? static_cast<std::uint32_t>(s.takes.size() / 2) : kNone);
    if (!of_it) continue;
    s.takes.push_back(takes);
    s.takes.push_back(times == 0 ? Stretches::kStands : takes * times);
  }
}

// ARCHITECTURE.md's 1F1B: two ranks, two micro-batches, F = 100, B = 200, 900 in all.
Program two_stages() {
  schedule::ScheduleRequest request;
  request.name = "1f1b";
  request.ranks = 2;
  request.micro_batches = 2;
  const auto schedule = schedule::make_schedule(request);
  REQUIRE(schedule.ok());
  program::OperationTimes times;
  times.forward.assign(2, {100});
  times.input_gradient.assign(2, {120});
  times.weight_gradient.assign(2, {80});
  auto program = lower_schedule(*schedule, times, Release::weight_gradient);
  REQUIRE(program.ok());
  return std::move(program).value();
}

Timeline played(const Program& program) {
  Timeline timeline = evaluate_one_pass(program);
  const Timeline events = play_events(program);
  CHECK(timeline.start == events.start);
  CHECK(timeline.end == events.end);
  std::vector<std::string> wrong =
      audit(program, timeline, split_time(program, timeline), memory_of(program, timeline));
  CHECK_MESSAGE(wrong.empty(), wrong.front());
  return timeline;
}

}  // namespace

// Rank 1 at half speed in [150, 350). Its F0 begins at 100: 50 of it are done at 150, the other 50 take 100: 250. B0:
// in the 100 until 350 it does 50 of 200, the other 150 take until 500. F1 [500, 600), B1 [600, 800). Rank 0: B0 from
// 500 to 700, B1 from 800 to 1000.
TEST_CASE("two stages of 1F1B of which the second is at half speed for a while") {
  Program program = two_stages();
  const Timeline plain = played(program);
  CHECK(plain.makespan == Time{900});
  slow_down(program, 1, 2, 150, 350);
  const Timeline slow = played(program);
  CHECK(slow.makespan == Time{1000});
  const std::vector<Lateness> late = lateness_of(program, slow, plain);
  CHECK(late[1].from == Time{200});  // F0 should have ended
  CHECK(late[1].most == Time{100});
  CHECK(late[1].until == Time{800});
  CHECK(late[0].from == Time{400});  // the gradient of B0 should have come
  CHECK(late[0].most == Time{100});
  CHECK(late[0].until == Time{1000});
}

// It stands in [150, 180): all behind it is 30 later, and while rank 0 runs its second B nothing of rank 1 is left.
TEST_CASE("what is down for a while waits and goes on") {
  Program program = two_stages();
  slow_down(program, 1, 0, 150, 180);
  CHECK(played(program).makespan == Time{930});
  program = two_stages();
  slow_down(program, 1, 0, 750, 780);
  CHECK(played(program).makespan == Time{900});  // it has done all by 700
  program = two_stages();
  slow_down(program, 0, 0, 0, 40);
  CHECK(played(program).makespan == Time{940});
  program = two_stages();
  slow_down(program, 0, 0, 200, 400);  // it waits for rank 1 anyway
  CHECK(played(program).makespan == Time{900});
}

// A task of D takes T in the one state, and t picoseconds of it until the state changes: then (1 − t/T) D are left.
TEST_CASE("a task ends at the first picosecond at which all of it is done") {
  Random random(5);
  for (int i = 0; i < 2000; ++i) {
    ByHand by_hand(1);
    const auto duration = static_cast<std::int64_t>(1 + random.below(1'000'000));
    by_hand.work(0, duration);
    Program program = by_hand.program();
    const auto takes = static_cast<std::int64_t>(duration + static_cast<std::int64_t>(random.below(1'000'000)));
    const auto from = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(duration)));
    const auto length = static_cast<std::int64_t>(1 + random.below(1'000'000));
    Stretches& s = program.stretches;
    s = {.begin = {{from}, {from + length}},
         .state = {1, 0},
         .states = 2,
         .pace = {0},
         .takes = {{duration}, {takes}},
         .links = {},
         .transfers = {}};
    s.links.resize(2);
    // The least end at which from/D + min(length, end − from)/T + rest/D ≥ 1.
    const auto all_done = [&](std::int64_t end) {
      const std::int64_t slow = std::min(length, end - from), rest = end - from - slow;
      return Int128{from + rest} * takes + Int128{slow} * duration >= Int128{duration} * takes;
    };
    const std::int64_t end = Paces(program).end_of(0, 0);
    CHECK(all_done(end));
    CHECK(!all_done(end - 1));
    CHECK(Paces(program).done(0, 0, end) >= duration - 1);
    CHECK(played(program).makespan.value == end);
  }
}

// A message between ranks that a stretch puts on one link, and the like.
TEST_CASE("a task that takes no time in the state in which it begins, or that comes, is done at once") {
  for (const std::int64_t begins : {10, 40}) {
    ByHand by_hand(1);
    by_hand.work(0, 10);
    by_hand.work(0, 100);
    Program program = by_hand.program();
    program.stretches = {.begin = {{begins}, {300}},
                         .state = {1, 0},
                         .states = 2,
                         .pace = {kNone, 0},
                         .takes = {{100}, {0}},
                         .links = {{}, {}},
                         .transfers = {}};
    const Timeline timeline = played(program);
    CHECK(timeline.end[1] == begins);
    CHECK(audit(program, timeline, split_time(program, timeline), memory_of(program, timeline)).empty());
  }
}

TEST_CASE("the books find a task that ends before all of it is done, or after") {
  Program program = two_stages();
  slow_down(program, 1, 2, 150, 350);
  const Timeline good = played(program);
  for (const std::int64_t by : {-1, 1}) {
    Timeline bad = good;
    const TaskId last = static_cast<TaskId>(std::ranges::max_element(bad.end) - bad.end.begin());
    TaskId of_rank_1 = kNone;
    for (TaskId task = 0; task < program.tasks(); ++task)
      if (program.stretches.pace[task] != kNone && bad.start[task] == 100) of_rank_1 = task;
    REQUIRE(of_rank_1 != kNone);
    REQUIRE(last != of_rank_1);
    bad.end[of_rank_1] += by;
    const auto wrong = audit(program, bad, split_time(program, bad), memory_of(program, bad));
    REQUIRE(!wrong.empty());
    CHECK(std::ranges::any_of(wrong, [&](const std::string& text) {
      return text.find(by < 0 ? "has more to do when it ends" : "has nothing to do when it ends") != std::string::npos;
    }));
  }
}

}  // namespace orrery::engine::paces_test
