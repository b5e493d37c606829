// From the words of a scenario and its stack to the numbers the lowering takes: every figure, each with a value of its
// own.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/scenario/run.hpp"

using namespace orrery;
using namespace orrery::scenario;

namespace {

Scenario scenario_of(const std::string& layout, const std::string& training, const std::string& stack, int nodes = 1) {
  auto scenario = read_scenario_text(
      fmt::format("model: gpt2\ncluster: {{type: dgx-h100, nodes: {}}}\nlayout: {{{}}}\n"
                  "training: {{sequence_length: 1024, global_batch: 64{}}}\nstack: {{type: megatron-2022{}}}\n",
                  nodes, layout, training, stack),
      "test.yaml");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  return std::move(scenario).value();
}

program::StepInput input_of(const Scenario& scenario) {
  const auto run = resolve(scenario, Catalogue::shared());
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  return run->input();
}

}  // namespace

TEST_CASE("every figure of a stack reaches the plan as it is") {
  const program::StepInput p = input_of(scenario_of(
      "data: 8", "",
      ", communication: {tensor_slowdown_percent: 103, context_slowdown_percent: 107, data_slowdown_percent: 109, "
      "bucket: 11 MB, prefetch: 3, network_step: 13 us, overlap_data: true, overlap_tensor: true, overlap_context: "
      "false, overlap_gather: false, scatter_gather_messages: true, embedding_reduce: false, pass_overlap_percent: "
      "17}, "
      "launch: {mode: eager, per_kernel: 19 us, per_kernel_backward: 23 us, per_collective: 29 us, "
      "per_collective_rank: "
      "31 us, per_micro_batch: 37 us, per_step: 41 us}, optimizer: {traffic: 43, gradient_traffic: 47, kernels: 53, "
      "reduce_buffer_elements: 59, gradient_copy_bytes: 11}"));
  const program::ExecutionPlan& e = p.execution;
  CHECK(e.tensor_slowdown.numerator == 103);
  CHECK(e.context_slowdown.numerator == 107);
  CHECK(e.data_slowdown.numerator == 109);
  for (const program::Slowdown& s : {e.tensor_slowdown, e.context_slowdown, e.data_slowdown})
    CHECK(s.denominator == 100);
  CHECK(e.bucket_bytes == 11'000'000);
  CHECK(e.prefetch == 3);
  CHECK(e.network_step == Time{13'000'000});
  CHECK(e.overlap_data);
  CHECK(e.overlap_tensor);
  CHECK(!e.overlap_context);
  CHECK(!e.overlap_gather);
  CHECK(e.scatter_gather_messages);
  CHECK(!e.embedding_reduce);
  CHECK(e.pass_overlap_percent == 17);
  CHECK(!e.blocking_launch);
  CHECK(e.launch_forward == Time{19'000'000});
  CHECK(e.launch_backward == Time{23'000'000});
  CHECK(e.launch_collective == Time{29'000'000});
  CHECK(e.launch_collective_rank == Time{0});  // no pipeline over nodes
  CHECK(e.micro_batch_overhead == Time{37'000'000});
  CHECK(e.step_overhead == Time{41'000'000});
  CHECK(e.optimizer_launch == Time{53 * 19'000'000});
  CHECK(e.optimizer_traffic == 43);
  CHECK(e.gradient_traffic == 47);
  CHECK(e.reduce_buffer_elements == 59);
  CHECK(e.optimizer_copies == 0);  // gradients of 4 bytes need none
  CHECK(e.weight_bytes == 2);
  CHECK(e.gradient_bytes == 4);
}

TEST_CASE("launches cost the host nothing in a graph, and stop the device where they block") {
  const std::string launch = ", launch: {{mode: {}, per_kernel: 19 us, per_micro_batch: 37 us, per_step: 41 us}}";
  const auto execution = [&](const char* mode) {
    return input_of(scenario_of("data: 8", "", fmt::format(fmt::runtime(launch), mode))).execution;
  };
  const program::ExecutionPlan graph = execution("graph"), blocking = execution("blocking");
  CHECK(graph.launch_forward == Time{0});
  CHECK(graph.launch_backward == Time{0});
  CHECK(graph.micro_batch_overhead == Time{0});
  CHECK(graph.optimizer_launch == Time{0});
  CHECK(graph.step_overhead == Time{41'000'000});
  CHECK(!graph.blocking_launch);
  CHECK(blocking.blocking_launch);
  CHECK(blocking.launch_forward == Time{19'000'000});
}

TEST_CASE("calls cost the host more by rank where a pipeline spans nodes, and only there") {
  const auto cost = [](const char* layout, int nodes) {
    return input_of(scenario_of(layout, "", ", launch: {per_collective_rank: 31 us}", nodes))
        .execution.launch_collective_rank.value;
  };
  CHECK(cost("pipeline: 2, data: 4", 1) == 0);
  CHECK(cost("data: 16", 2) == 0);
  CHECK(cost("pipeline: 2, data: 8", 2) == 31'000'000);
}

TEST_CASE("number formats and bytes per parameter follow the precision") {
  struct Case {
    const char* precision;
    DType compute, activation;
    std::int64_t weights, optimizer;
  };
  for (const Case& c : {Case{"fp32", DType::fp32, DType::fp32, 4, 8}, Case{"fp16", DType::fp16, DType::fp16, 2, 12},
                        Case{"bf16", DType::bf16, DType::bf16, 2, 12}, Case{"fp8", DType::fp8, DType::bf16, 2, 12}}) {
    CAPTURE(std::string(c.precision));
    const program::StepInput p = input_of(scenario_of("data: 8", fmt::format(", precision: {}", c.precision), ""));
    CHECK(p.pass.compute == c.compute);
    CHECK(p.pass.activation == c.activation);
    CHECK(p.state.weight_bytes == c.weights);
    CHECK(p.state.optimizer_bytes == c.optimizer);
    CHECK(p.state.gradient_bytes == 4);
  }
  const program::StepInput said = input_of(scenario_of(
      "data: 8", ", weight_bytes: 3, gradient_bytes: 2, optimizer_bytes: 5, recompute: full, recompute_every: 2",
      ", optimizer: {gradient_copy_bytes: 7}"));
  CHECK(said.state.weight_bytes == 3);
  CHECK(said.state.gradient_bytes == 2);
  CHECK(said.state.optimizer_bytes == 5);
  CHECK(said.execution.optimizer_copies == 7);
  CHECK(said.execution.weight_bytes == 3);
  CHECK(said.execution.gradient_bytes == 2);
  CHECK(said.pass.recompute == layout::Recompute::full);
  CHECK(said.pass.recompute_every == 2);
}

TEST_CASE("the words for messages and post-validation") {
  const auto execution = [](const std::string& stack) {
    return input_of(scenario_of("pipeline: 2, data: 4", "", stack)).execution;
  };
  using program::MessageMode;
  using program::PostValidation;
  CHECK(execution(", communication: {messages: asynchronous}").messages == MessageMode::asynchronous);
  CHECK(execution(", communication: {messages: serialised}").messages == MessageMode::serialised);
  CHECK(execution(", communication: {messages: blocking}").messages == MessageMode::rendezvous);
  CHECK(execution(", optimizer: {post_validation: never}").post_validation == PostValidation::never);
  CHECK(execution(", optimizer: {post_validation: split_backward}").post_validation == PostValidation::split_backward);
  CHECK(execution(", optimizer: {post_validation: always}").post_validation == PostValidation::always);
}
