#include "orrery/engine/critical_path.hpp"

#include <doctest/doctest.h>

#include "by_hand.hpp"

using namespace orrery;
using namespace orrery::engine;
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
