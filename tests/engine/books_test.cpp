// The books find what is wrong: a run that balances, made wrong in one place.
#include <doctest/doctest.h>

#include "by_hand.hpp"

namespace orrery::engine::books_test {

using namespace orrery::engine::testing;

namespace {

using enum Category;

struct Run {
  Program program;
  Timeline timeline;
  std::vector<Breakdown> split;
  std::vector<DeviceMemory> memory;
  std::vector<std::string> wrong() const { return audit(program, timeline, split, memory); }
  std::int64_t& of(DeviceIndex d, Category c) { return split[d][static_cast<std::size_t>(c)]; }
};

// Device 0: host [0, 2), block [2, 12) of 6 compute and 4 recompute; message [12, 13); device 1: [13, 20), optimizer
// [20, 23).
Run good() {
  ByHand hand(2);
  const TaskId block = hand.block(0, {{6, compute}, {4, recompute}}, {hand.host(0, 2)});
  hand.work(1, 7, {hand.message(0, 1, 1, {block})});
  hand.work(1, 3, {}, optimizer);
  Run run{hand.program(), {}, {}, {}};
  run.timeline = evaluate_one_pass(run.program);
  run.split = split_time(run.program, run.timeline);
  run.memory = memory_of(run.program, run.timeline);
  return run;
}

TaskId task_of(const Run& run, Category category) {
  for (TaskId t = 0; t < run.program.tasks(); ++t)
    if (run.program.template_of(t).category == category) return t;
  FAIL("no such task");
  return kNone;
}

bool finds(const Run& run, const char* what) {
  for (const std::string& w : run.wrong())
    if (w.find(what) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("a run as it is played balances") {
  CHECK(good().wrong() == std::vector<std::string>{});
}

TEST_CASE("order: a task that does not start when its last predecessor ends") {
  for (const std::int64_t by : {-1, 1}) {
    Run run = good();
    const TaskId last = task_of(run, optimizer);
    run.timeline.start[last] += by;
    CHECK(finds(run, "its last predecessor ends at 20 ps"));
  }
}

TEST_CASE("order: a predecessor that does not come before") {
  Run run = good();
  const TaskId last = task_of(run, optimizer);
  run.program.predecessors[run.program.predecessor_begin[last]] = last;
  CHECK(finds(run, "which does not come before it"));
}

TEST_CASE("order: a lane that does two things at once") {
  Run run = good();
  // The edge between the two tasks of device 1 is lost, and the second played beside the first.
  const TaskId last = task_of(run, optimizer);
  const std::uint32_t edge = run.program.predecessor_begin[last];
  run.program.predecessors[edge] = task_of(run, pipeline_comm);
  run.timeline = evaluate_one_pass(run.program);
  CHECK(finds(run, "on lane compute of device 1, which is busy until 20 ps"));
}

TEST_CASE("bounds: a task that is played quicker, or slower, than its template says") {
  for (const std::int64_t by : {-1, 1}) {
    Run run = good();
    run.timeline.end[task_of(run, optimizer)] += by;
    CHECK(finds(run, "by its template 3 ps"));
  }
}

TEST_CASE("bounds: a makespan below the critical path, or above all tasks one after the other") {
  Run run = good();
  run.timeline.makespan = {22};
  CHECK(finds(run, "the makespan is 22 ps, the last task ends at 23 ps"));
  run = good();
  run.timeline.end[task_of(run, optimizer)] = 100;
  run.timeline.start[task_of(run, optimizer)] = 97;
  run.timeline.makespan = {100};
  CHECK(finds(run, "the makespan is 100 ps, all tasks one after the other take 23 ps"));
}

TEST_CASE("bounds: a step longer than all of them") {
  Run run = good();
  run.timeline.step_time = {24};
  CHECK(finds(run, "the step takes 24 ps, all steps 23 ps"));
}

TEST_CASE("split: parts that do not sum to the step, or are negative") {
  Run run = good();
  ++run.of(0, host);
  CHECK(finds(run, "the time of device 0 sums to 24 ps, the step takes 23 ps"));
  run = good();
  run.of(1, host) -= 10;
  run.of(1, bubble) += 10;
  CHECK(finds(run, "device 1 has -8 ps of host"));
}

TEST_CASE("split: sums that balance with work in the wrong category") {
  for (const Category to : {host, bubble, recompute, optimizer}) {
    Run run = good();
    run.of(0, to) += run.of(0, compute);
    run.of(0, compute) = 0;
    CHECK(finds(run, "device 0 has 0 ps of compute, its kernels take 6 ps"));
  }
  // A block that says its recomputation is compute, against a split of the Program as it was.
  Run run = good();
  for (Segment& s : run.program.segments) s.category = compute;
  CHECK(finds(run, "device 0 has 4 ps of recompute, its kernels take 0 ps"));
}

TEST_CASE("split: waiting for more than there is") {
  // One device that waits for the work of others, as host time was once booked.
  ByHand hand(1);
  hand.work(0, 5, {hand.host(0, 9)});
  Run run{hand.program(), {}, {}, {}};
  run.timeline = evaluate_one_pass(run.program);
  run.memory = memory_of(run.program, run.timeline);
  run.split = {parts({{compute, 5}, {bubble, 9}})};
  CHECK(finds(run, "device 0 waits 9 ps for work of others, who work for 0 ps"));
  run = good();
  run.of(1, tensor_comm) = run.of(1, bubble);
  run.of(1, bubble) = 0;
  CHECK(finds(run, "device 1 has 10 ps of tensor_comm, all there is takes 0 ps"));
}

TEST_CASE("memory: what is taken is given back") {
  Run run = good();
  run.memory[1].at_end[static_cast<std::size_t>(MemoryClass::activations)] = 1;
  CHECK(finds(run, "memory of device 1 (activations) ends at 1 bytes, began at 0"));
}

TEST_CASE("of one kind of error the first ten are told, the others counted") {
  ByHand hand(1);
  for (int i = 0; i < 25; ++i) hand.work(0, 1);
  Run run{hand.program(), {}, {}, {}};
  run.timeline = evaluate_one_pass(run.program);
  run.split = split_time(run.program, run.timeline);
  run.memory = memory_of(run.program, run.timeline);
  for (std::int64_t& start : run.timeline.start) start += 1;
  for (std::int64_t& end : run.timeline.end) end += 2;
  CHECK(finds(run, "and 15 more of this kind: order"));
}

}  // namespace orrery::engine::books_test
