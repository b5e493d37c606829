// Each sentence of "Limit", and what it is derived from.
#include <doctest/doctest.h>

#include "example.hpp"
#include "report/text_parts.hpp"

namespace orrery::report::limit_test {

using program::Category;

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
std::string limit_of(const RunResult& run) {
  return what_limits(run, metrics_of(run));
}

// Percentages of a category in each device's time and on the critical path; the rest is compute.
struct Part {
  Category category;
  std::int64_t of_time, of_path;
};
RunResult run_with(std::initializer_list<Part> parts, const testing::Example& example = {}) {
  RunResult run = testing::run_example(example);
  const std::int64_t step = run.timeline.step_time.value;
  engine::Breakdown time{step}, path{step};
  for (const Part& p : parts) {
    time[static_cast<std::size_t>(p.category)] += step * p.of_time / 100;
    time[0] -= step * p.of_time / 100;
    path[static_cast<std::size_t>(p.category)] += step * p.of_path / 100;
    path[0] -= step * p.of_path / 100;
  }
  run.critical = {path, 0, 0};
  for (engine::Breakdown& of : run.split) of = time;
  return run;
}

}  // namespace

TEST_CASE("what is not on the critical path limits nothing") {
  // Traffic that devices show while they wait for others anyway.
  const RunResult run = run_with({{Category::data_comm, 40, 6}, {Category::tensor_comm, 10, 20}});
  CHECK(limit_of(run) ==
        "Tensor-parallel communication takes 20.0 % of the critical path and 10.0 % of the step: a smaller tensor "
        "degree, a faster link inside the node, or overlap with compute would shrink it.");
}

TEST_CASE("each kind of communication, the optimizer and recomputation have their sentence") {
  const auto only = [](Category c) { return limit_of(run_with({{c, 30, 30}})); };
  CHECK(has(only(Category::tensor_comm), "Tensor-parallel communication takes 30.0 % of the step: a smaller tensor"));
  CHECK(
      has(only(Category::context_comm), "Context-parallel communication takes 30.0 % of the step: a smaller context"));
  CHECK(has(only(Category::expert_comm), "The all-to-all of the experts takes 30.0 % of the step"));
  CHECK(has(only(Category::data_comm), "Data-parallel communication takes 30.0 % of the step: overlap with compute"));
  CHECK(has(only(Category::pipeline_comm), "Messages between pipeline stages take 30.0 % of the step: fewer stages"));
  CHECK(has(only(Category::optimizer), "The optimizer takes 30.0 % of the step: more tokens a step"));
  CHECK(has(only(Category::recompute), "Recomputing activations takes 30.0 % of the step, and 33.0 GiB are free"));
}

TEST_CASE("the host before the first kernel, in blocking launches, or between kernels") {
  RunResult run = run_with({{Category::host, 30, 30}});
  const std::int64_t step = run.timeline.step_time.value;
  CHECK(limit_of(run) == "The host takes 30.0 % of the step: larger kernels or fewer launches would shrink it.");
  run.critical.step_overhead = step / 5;
  CHECK(limit_of(run) ==
        "The host takes 30.0 % of the step, mostly before its first kernel (3.080 ms): more tokens a step, or less to "
        "prepare, would shrink it.");
  run.critical.step_overhead = 0;
  run.critical.blocking_launches = step / 5;
  CHECK(limit_of(run) ==
        "The host takes 30.0 % of the step, mostly in launches that the GPU stands still for: larger kernels, fewer of "
        "them, or a host that launches ahead would shrink it.");
}

TEST_CASE("micro-batches are advised for the schedule's bubble alone") {
  CHECK(has(limit_of(run_with({{Category::bubble, 30, 0}})), "more micro-batches or virtual stages would shrink it"));
  // The host is critical, too: more micro-batches launch more.
  CHECK(limit_of(run_with({{Category::bubble, 30, 0}, {Category::host, 10, 20}})) ==
        "The pipeline bubble takes 30.0 % of the step (4 micro-batches over 2 pipeline ranks), and the host 20.0 % of "
        "its critical path: fewer pipeline ranks or virtual stages would shrink the one, larger kernels the other.");
  // The host is more critical than the bubble is long.
  CHECK(has(limit_of(run_with({{Category::bubble, 30, 0}, {Category::host, 25, 40}})),
            "The host takes 40.0 % of the critical path and 25.0 % of the step"));
  // Blocking messages, when the step would be shorter without by more than half of the bubble.
  RunResult blocked = run_with({{Category::bubble, 30, 0}});
  blocked.asynchronous = {blocked.timeline.step_time.value / 100 * 80};
  CHECK(limit_of(blocked) ==
        "Waiting takes 30.0 % of the step, mostly because messages block: a sender waits until its receiver takes what "
        "it sends. With asynchronous ones (stack.communication.messages) the step takes 12.32 ms, 20.0 % less.");
  blocked.asynchronous = {blocked.timeline.step_time.value / 100 * 90};
  CHECK(has(limit_of(blocked), "more micro-batches"));
}

TEST_CASE("a straggler is named with what it costs") {
  RunResult run = run_with({{Category::bubble, 30, 0}});
  run.perturbations = {"GPU 1 at 0.7 of its speed"};
  run.slow_ranks = {1};
  run.unperturbed = {run.timeline.step_time.value / 100 * 80};
  CHECK(limit_of(run) ==
        "GPU 1 at 0.7 of its speed costs 20.0 % of the step: without it the step would take 12.32 ms.");
  // Small beside the bubble: named behind it, and its stage is not called longer than the others.
  run.unperturbed = {run.timeline.step_time.value / 100 * 97};
  run.split[1][0] = run.timeline.step_time.value;
  run.split[1][static_cast<std::size_t>(Category::bubble)] = 0;
  run.split[0][0] = run.timeline.step_time.value / 100 * 40;
  run.split[0][static_cast<std::size_t>(Category::bubble)] = run.timeline.step_time.value - run.split[0][0];
  CHECK(has(limit_of(run), "The pipeline bubble takes 30.0 % of the step (4 micro-batches over 2 pipeline ranks)"));
  CHECK(has(limit_of(run),
            " GPU 1 at 0.7 of its speed costs 3.0 % of the step: without it the step would take 14.94 ms."));
  // Several, and none that matters.
  run = run_with({{Category::tensor_comm, 20, 20}});
  run.perturbations = {"GPU 1 at 0.7 of its speed", "link a--b down", "node 3 at 0.9 of its speed", "GPU 9 at 0.5"};
  run.unperturbed = {run.timeline.step_time.value / 100 * 60};
  CHECK(has(limit_of(run),
            "GPU 1 at 0.7 of its speed, link a--b down, node 3 at 0.9 of its speed and 1 more cost 40.0 % of the step: "
            "without them the step would take"));
  run.unperturbed = run.timeline.step_time;
  CHECK_FALSE(has(limit_of(run), "GPU 1"));
}

TEST_CASE("memory that lacks is named by what takes most of it, with what would shrink that") {
  const auto lacks = [](program::MemoryClass most) {
    RunResult run = testing::run_example({});
    run.usable_memory = {Bytes{std::int64_t{10} << 30}};
    for (engine::DeviceMemory& memory : run.memory) {
      memory.at_peak = {};
      memory.at_peak[static_cast<std::size_t>(most)] = std::int64_t{20} << 30;
    }
    return limit_of(run);
  };
  using program::MemoryClass;
  CHECK(
      has(lacks(MemoryClass::activations),
          "20.0 GiB, is activations: recomputing more, a smaller micro-batch or more tensor ranks would shrink them."));
  for (const MemoryClass state : {MemoryClass::weights, MemoryClass::gradients, MemoryClass::optimizer})
    CHECK(has(lacks(state), ": more tensor or pipeline ranks, or sharding over the data ranks, would shrink them."));
  CHECK(has(lacks(MemoryClass::buffers), "20.0 GiB, is buffers: fewer or smaller ones at once would help."));
}

}  // namespace orrery::report::limit_test
