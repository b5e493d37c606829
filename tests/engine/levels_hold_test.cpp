// Whether the timeline bears out that messages may be taken for as slow as the slowest of their team.
#include <doctest/doctest.h>

#include "orrery/engine/engine.hpp"
#include "orrery/program/builder.hpp"

namespace orrery::engine::levels_hold_test {

using namespace program;

namespace {

// Two passes of 10 ps on one device, a message behind each that takes `takes`, one at a time; the first `met` of the
// passes end at once on all of the team.
bool holds(std::int64_t takes, int met, bool levelled = true) {
  Builder b;
  for (int d = 0; d < 2; ++d) b.add_device({{d}, {}, {}});
  TaskTemplate pass;
  pass.duration = {10};
  TaskTemplate message;
  message.duration = {takes};
  message.lane = Lane::pipeline_send;
  message.partner_lane = Lane::pipeline_receive;
  message.levelled = levelled;
  const TemplateId work = b.add_template(pass), send = b.add_template(message);
  TaskId before = kNone;
  for (int i = 0; i < 2; ++i) {
    const TaskId p = b.add_task(work, Participant{0, kNone});
    const Participant ends[2] = {{0, kNone}, {1, kNone}};
    const TaskId m = b.add_task(send, ends, Builder::Ordering::free);
    b.add_edge(p, m);
    if (before != kNone) b.add_edge(before, m);
    if (i < met) b.add_levelled(m, p);
    before = m;
  }
  const Program program = std::move(b.finish()).value();
  return levels_hold(program, evaluate_one_pass(program));
}

}  // namespace

TEST_CASE("messages are as slow as the slowest of their team where each begins as the team ends a pass") {
  CHECK(holds(10, 2));        // 10..20 and 20..30: the second begins as its pass ends
  CHECK_FALSE(holds(11, 2));  // 10..21: the second waits for the first
  CHECK_FALSE(holds(10, 1));  // behind a pass that its team ends one by one
  CHECK(holds(11, 0, false));
}

}  // namespace orrery::engine::levels_hold_test
