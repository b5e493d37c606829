#include "orrery/engine/critical_path.hpp"

#include <doctest/doctest.h>

#include "by_hand.hpp"

namespace orrery::engine::critical_path_test {

using namespace orrery::engine::testing;

using enum Category;

TEST_CASE("the critical path is what the step ends with, and what that waited for") {
  // Device 0: host [0, 4), block [4, 16): 3 host, 5 compute, 4 tensor; message [16, 18); device 1: [18, 24).
  // Beside it, on no path: device 1's own host [0, 9) and work [9, 12).
  ByHand hand(2);
  const TaskId block = hand.block(0, {{3, host}, {5, compute}, {4, tensor_comm}}, {hand.host(0, 4)});
  hand.work(1, 3, {hand.host(1, 9)}, recompute);
  hand.work(1, 6, {hand.message(0, 1, 2, {block})}, optimizer);
  const Program program = hand.program();
  const CriticalPath path = critical_path(program, evaluate_one_pass(program));
  CHECK(path.of == parts({{compute, 5}, {tensor_comm, 4}, {host, 4 + 3}, {pipeline_comm, 2}, {optimizer, 6}}));
  CHECK(path.blocking_launches == 3);
  CHECK(path.step_overhead == 0);
}

// Compute [0, 3), then a call [3, 9) with compute [3, 7) of the device beside it, then compute [9, 10): the path leads
// over the call, whose first 4 are compute as they are where the pass is one task; 2 are exposed.
TEST_CASE("a call beside compute counts where it is exposed, whether a pass is one task or several") {
  ByHand unfused(1);
  const TaskId first = unfused.work(0, 3);
  const TaskId call = unfused.collective({0}, tensor_comm, Lane::tensor, 6, {first});
  unfused.work(0, 4, {first});
  unfused.work(0, 1, {call});
  ByHand fused(1);
  fused.block(0, {{7, compute}, {2, tensor_comm}, {1, compute}});
  for (ByHand* hand : {&unfused, &fused}) {
    const Program program = hand->program();
    const Timeline timeline = evaluate_one_pass(program);
    CHECK(critical_path(program, timeline).of == parts({{compute, 8}, {tensor_comm, 2}}));
    std::int64_t at = 0;
    for (const PathStretch& s : critical_stretches(program, timeline)) {
      CHECK(s.begin == at);
      at = s.end;
    }
    CHECK(at == 10);
  }
}

// As above, by tasks: the host of device 0 [0, 4), the block [4, 16), the message [16, 18), the work of device 1
// [18, 24).
TEST_CASE("the tasks of the path follow each other from the beginning of the step to its end") {
  ByHand hand(2);
  const TaskId block = hand.block(0, {{3, host}, {5, compute}, {4, tensor_comm}}, {hand.host(0, 4)});
  hand.work(1, 3, {hand.host(1, 9)}, recompute);
  hand.work(1, 6, {hand.message(0, 1, 2, {block})}, optimizer);
  const Program program = hand.program();
  const Timeline timeline = evaluate_one_pass(program);
  std::vector<std::pair<std::int64_t, std::int64_t>> spans;
  for (const PathTask& p : critical_chain(program, timeline)) {
    spans.emplace_back(p.begin, p.end);
    CHECK(timeline.start[p.task] == p.begin);
  }
  CHECK(spans == std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 4}, {4, 16}, {16, 18}, {18, 24}});
}

// A of 5, then B of 2 beside C of 4, then D of 1: B could end 2 later, the others not at all.
TEST_CASE("slack is what a task could be later by") {
  ByHand hand(3);
  const TaskId a = hand.work(0, 5);
  const TaskId b = hand.work(1, 2, {a}), c = hand.work(2, 4, {a});
  hand.work(0, 1, {b, c});
  const Program program = hand.program();
  const Timeline timeline = evaluate_one_pass(program);
  const std::vector<std::int64_t> slack = slack_of(program, timeline);
  for (TaskId t = 0; t < program.tasks(); ++t) CHECK(slack[t] == (timeline.end[t] == 7 ? 2 : 0));
}

}  // namespace orrery::engine::critical_path_test
