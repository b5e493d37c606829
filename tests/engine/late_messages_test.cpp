// What the messages of a team take that is played as its latest member.
#include <doctest/doctest.h>

#include <array>
#include <span>

#include "orrery/engine/engine.hpp"
#include "orrery/program/builder.hpp"

namespace orrery::engine::late_messages_test {

using namespace program;

namespace {

using Takes = std::vector<std::int64_t>;

// Device 0 ends a pass of 10 ps at once, and sends a message of 10 behind which another goes on to device 1; there own
// work of `busy` ps and what has arrived come before a pass of 10, and a message back: by number.
struct Case {
  std::uint32_t there = 1, next = 1, back = 1;
  std::int64_t busy = 0;
  bool meet = false, in_part = false;  // all of the team do in the pass on device 1, or those of a kind
  bool by_host = false;                // whose host waits for the message, and launches it
};

struct Made {
  Builder b;
  Made() {
    for (int d = 0; d < 2; ++d) b.add_device({{d}, {}, {}});
    b.levels().takes = {{10, 4, 4, 4}, {4, 10, 4, 4}, {10, 10, 4, 4}, {4, 4, 10, 4}};
    b.levels().kinds = 2;
  }
  TaskTemplate lasting(std::int64_t ps, Lane from = Lane::compute, Lane to = Lane::compute) {
    TaskTemplate t;
    t.duration = {ps}, t.lane = from, t.partner_lane = to;
    return t;
  }
  TaskId work(DeviceIndex d, std::int64_t ps, Lane lane = Lane::compute) {
    return b.add_task(b.add_template(lasting(ps, lane)), Participant{d, kNone});
  }
  TaskId send(DeviceIndex from, TaskId before, std::uint32_t number) {
    const TemplateId of = b.add_template(lasting(10, Lane::pipeline_send, Lane::pipeline_receive));
    if (number != 0) b.levels().number.emplace_back(of, number);
    const Participant ends[2] = {{from, kNone}, {1 - from, kNone}};
    const TaskId task = b.add_task(of, ends, Builder::Ordering::free);
    b.add_edge(before, task);
    return task;
  }
  // A sum of gradients behind a task, beside work that it slows, which waits for `late` too.
  void sum(DeviceIndex d, TaskId behind, TaskId late, bool alone) {
    TaskTemplate gradients = lasting(30, Lane::data, Lane::data);
    gradients.category = Category::data_comm;
    const Participant both[2] = {{d, kNone}, {1 - d, kNone}};
    const TaskId reduce = b.add_task(b.add_template(gradients), std::span(both).first(alone ? 1 : 2));
    b.add_edge(behind, reduce);
    TaskTemplate slowable = lasting(5);
    slowable.slowdown_class = b.add_slowdown({3, 2});
    slowable.steps = b.add_kernel_ends(std::array{KernelEnd{5, 8}});
    const TaskId beside = b.add_task(b.add_template(slowable), Participant{d, kNone});
    b.add_edge(late, beside);
  }
};

// Those that take another time than 10, in their order; none = it is not told.
std::optional<Takes> late(const Program& program) {
  const auto messages = late_messages(program, play_events(program));
  if (!messages) return {};
  Takes takes;
  for (const MessageTime& m : *messages) takes.push_back(m.takes.value);
  return takes;
}

Program program_of(const Case& c) {
  Made m;
  const TaskId first = m.work(0, 10);
  m.b.levels().together.push_back(first);
  const TaskId there = m.send(0, first, c.there), next = m.send(0, there, c.next);
  m.work(1, c.busy);
  const TaskId launch = m.work(1, 0, Lane::host), pass = m.work(1, 10);
  m.b.add_edge(next, c.by_host ? launch : pass);
  if (c.by_host) m.b.add_edge(launch, pass);
  if (c.meet) m.b.levels().together.push_back(pass);
  if (c.in_part) m.b.levels().in_part.push_back(pass);
  m.send(1, pass, c.back);
  return std::move(m.b.finish()).value();
}
std::optional<Takes> late(const Case& c) {
  return late(program_of(c));
}

// Device 1 gets a message at 20, of which member 0's is the slowest; behind its pass, in which nobody meets, it sums
// gradients until 60, beside work that a second message lets begin.
bool told_beside_sum(std::uint32_t second, bool alone) {
  Made m;
  const TaskId first = m.work(0, 10);
  const TaskId there = m.send(0, first, 1);
  const TaskId pass = m.work(1, 10);
  m.b.add_edge(there, pass);
  const TaskId later = m.work(0, 25);
  m.b.levels().together = {first, later};
  m.sum(1, pass, m.send(0, later, second), alone);
  return late(std::move(m.b.finish()).value()).has_value();
}

}  // namespace

TEST_CASE("a message takes as long as that of the member which arrives last") {
  // Number 1 leaves the others 6 ahead of member 0, twice 12: its own is the slowest again.
  CHECK(late({.there = 1, .next = 1, .back = 1}) == Takes{});
  CHECK(late({.there = 0, .next = 0, .back = 2}) == Takes{});  // all of them are there at once
  // Member 0 is there 10 + 4 after the first, member 1 at 4 + 10 as well: then neither is ahead.
  CHECK(late({.there = 1, .next = 2, .back = 2}) == Takes{4});
  CHECK(late({.there = 1, .next = 0, .back = 2}) == Takes{4});  // likewise there and back
  CHECK(late({.there = 1, .next = 3, .back = 1}) == Takes{});   // 10 + 10
  CHECK(late({.there = 1, .next = 3, .back = 2}) == Takes{4});  // 10 + 10 + 4 and 4 + 10 + 10
}

TEST_CASE("members begin a task with the last of what they wait for") {
  CHECK(late({.there = 1, .next = 0, .back = 2, .busy = 31}) == Takes{});  // own work, which ends for all at once
  CHECK(late({.there = 1, .next = 0, .back = 2, .busy = 30}) == Takes{});
  CHECK(late({.there = 1, .next = 0, .back = 2, .busy = 29}) == Takes{9});  // member 1 at 29, 1 ahead of member 0
}

TEST_CASE("who meets in a pass ends it at once, unless the host is late") {
  CHECK(late({.there = 1, .next = 0, .back = 2, .meet = true}) == Takes{});
  CHECK(late({.there = 1, .next = 0, .back = 4}) == Takes{4});
  CHECK(late({.there = 1, .next = 0, .back = 4, .in_part = true}) == Takes{});  // members 0 and 2 are of a kind
  CHECK(late({.there = 1, .next = 0, .back = 2, .in_part = true}) == Takes{4});
  CHECK(late({.there = 1, .next = 0, .back = 1, .meet = true, .by_host = true}) == Takes{});
  CHECK_FALSE(late({.there = 1, .next = 0, .back = 2, .meet = true, .by_host = true}));
  CHECK(late({.there = 1, .next = 0, .back = 2, .by_host = true}) == Takes{4});
}

TEST_CASE("messages that are given their times take them") {
  Program program = program_of({.there = 1, .next = 0, .back = 2, .busy = 29});
  const Timeline before = play_events(program);
  retime(program, *late_messages(program, before));
  const Timeline after = play_events(program);
  CHECK(after.makespan == before.makespan - Time{1});
  CHECK(late(program) == Takes{});
}

TEST_CASE("a sum of gradients that a team begins one by one slows work as the latest's does while that is the latest") {
  CHECK(told_beside_sum(1, true));
  CHECK(told_beside_sum(0, true));         // all begin at once
  CHECK_FALSE(told_beside_sum(2, true));   // another begins last, whose own sum has ended before
  CHECK_FALSE(told_beside_sum(1, false));  // those that it sums with may not be as late
}

}  // namespace orrery::engine::late_messages_test
