// Whether the timeline bears out that messages may be taken for as slow as the slowest of their team.
#include <doctest/doctest.h>

#include <array>
#include <span>

#include "orrery/engine/engine.hpp"
#include "orrery/program/builder.hpp"

namespace orrery::engine::levels_hold_test {

using namespace program;

namespace {

// Device 0 ends a pass of 10 ps at once, and sends a message of 10 behind which another goes on to device 1; there own
// work of `busy` ps and what has arrived come before a pass of 10, and a message back. The three are the slowest of
// these members.
struct Case {
  std::uint32_t there = 1, next = 1, back = 1;
  std::int64_t busy = 0;
  bool meet = false;  // all of the team do in the pass on device 1
};

struct Made {
  Builder b;
  Made() {
    for (int d = 0; d < 2; ++d) b.add_device({{d}, {}, {}});
    b.set_members({{0}, {1}, {0, 1}});  // of three
  }
  TaskTemplate lasting(std::int64_t ps, Lane from = Lane::compute, Lane to = Lane::compute) {
    TaskTemplate t;
    t.duration = {ps}, t.lane = from, t.partner_lane = to;
    return t;
  }
  TaskId work(DeviceIndex d, std::int64_t ps) { return b.add_task(b.add_template(lasting(ps)), Participant{d, kNone}); }
  TaskId send(DeviceIndex from, TaskId before, std::uint32_t slowest) {
    const TemplateId of = b.add_template(lasting(10, Lane::pipeline_send, Lane::pipeline_receive));
    if (slowest != 0) b.add_slowest(of, slowest);
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
  bool hold() {
    const Program program = std::move(b.finish()).value();
    return levels_hold(program, play_events(program));
  }
};

bool holds(const Case& c) {
  Made m;
  const TaskId first = m.work(0, 10);
  m.b.add_together(first);
  const TaskId there = m.send(0, first, c.there), next = m.send(0, there, c.next);
  m.work(1, c.busy);
  const TaskId pass = m.work(1, 10);
  m.b.add_edge(next, pass);
  if (c.meet) m.b.add_together(pass);
  m.send(1, pass, c.back);
  return m.hold();
}

// Device 1 gets a message at 20, of which member 1's is the slowest; behind its pass, in which nobody meets, it sums
// gradients until 60, beside work that a second message lets begin.
bool holds_beside_sum(std::uint32_t second, bool alone) {
  Made m;
  const TaskId first = m.work(0, 10);
  m.b.add_together(first);
  const TaskId there = m.send(0, first, 1);
  const TaskId pass = m.work(1, 10);
  m.b.add_edge(there, pass);
  const TaskId later = m.work(0, 25);
  m.b.add_together(later);
  m.sum(1, pass, m.send(0, later, second), alone);
  return m.hold();
}

}  // namespace

TEST_CASE("messages are as slow as the slowest of their team where all send at once, or the slowest is the latest") {
  CHECK(holds({.there = 1, .next = 1, .back = 1}));
  CHECK(holds({.there = 0, .next = 0, .back = 2}));        // all of them arrive at once
  CHECK_FALSE(holds({.there = 1, .next = 2, .back = 2}));  // behind a message of which others are the slowest
  CHECK_FALSE(holds({.there = 1, .next = 0, .back = 2}));  // behind a pass that waits for one
  CHECK(holds({.there = 1, .next = 3, .back = 1}));        // one of the slowest is the latest
  CHECK_FALSE(holds({.there = 1, .next = 3, .back = 2}));  // and it is that one
  CHECK(holds({.there = 1, .next = 0, .back = 2, .meet = true}));
  CHECK(holds({.there = 1, .next = 0, .back = 2, .busy = 31}));  // the pass begins with the end of own work
  CHECK(holds({.there = 1, .next = 0, .back = 2, .busy = 30}));  // which is known to all at once
  CHECK_FALSE(holds({.there = 1, .next = 0, .back = 2, .busy = 29}));
}

TEST_CASE(
    "a sum of gradients that a team begins one by one slows work as the latest's does where that stays the latest") {
  CHECK(holds_beside_sum(1, true));
  CHECK(holds_beside_sum(0, true));         // all begin at once
  CHECK_FALSE(holds_beside_sum(2, true));   // another begins last, whose own sum has ended before
  CHECK_FALSE(holds_beside_sum(1, false));  // those that it sums with may not be as late
}

}  // namespace orrery::engine::levels_hold_test
