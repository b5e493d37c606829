// From the words of a scenario and its stack to what runs. (tests/keys holds that each key of a stack matters.)

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/scenario/run.hpp"

namespace orrery::scenario::running_test {

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

TEST_CASE("the stack runs as the scenario says it, but for what the training plan lays over it") {
  const std::string say = ", communication: {overlap_data: true, overlap_tensor: true, overlap_context: false}";
  const auto run = [&](const char* training) { return input_of(scenario_of("data: 8", training, say)).stack; };
  const cost::Stack as_said = run(""),
                    laid_over = run(", overlap_data: false, overlap_tensor: false, overlap_context: true");
  CHECK(as_said.communication.overlap_data);
  CHECK(as_said.communication.overlap_tensor);
  CHECK_FALSE(as_said.communication.overlap_context);
  CHECK_FALSE(laid_over.communication.overlap_data);
  CHECK_FALSE(laid_over.communication.overlap_tensor);
  CHECK(laid_over.communication.overlap_context);
  CHECK(as_said.optimizer.gradient_bytes == 4);
  CHECK(run(", gradient_bytes: 2").optimizer.gradient_bytes == 2);
}

TEST_CASE("the passes are shaped by the sections of the stack") {
  const program::StepInput p = input_of(scenario_of(
      "data: 8", "",
      ", kernels: {fused_norm: false, separate_projections: true, loss_copies: 2}, communication: {context_exchange: "
      "all_gather, regather_in_backward: false}"));
  CHECK_FALSE(p.pass.kernels.fused_norm);
  CHECK(p.pass.kernels.fused_softmax);
  CHECK(p.pass.kernels.separate_projections);
  CHECK(p.pass.kernels.loss_copies == 2);
  CHECK(p.pass.calls.context_exchange == layout::ContextExchange::all_gather);
  CHECK_FALSE(p.pass.calls.regather_in_backward);
}

TEST_CASE("launches cost the host nothing in a graph, and stop the device where they block") {
  const std::string launch = ", launch: {{mode: {}, per_kernel: 19 us, per_micro_batch: 37 us, per_step: 41 us}}";
  const auto launches = [&](const char* mode) {
    return input_of(scenario_of("data: 8", "", fmt::format(fmt::runtime(launch), mode))).stack.launch;
  };
  const cost::StackLaunch graph = launches("graph"), blocking = launches("blocking");
  CHECK(graph.per_kernel == Time{0});
  CHECK(graph.per_kernel_backward == Time{0});
  CHECK(graph.per_collective == Time{0});
  CHECK(graph.per_micro_batch == Time{0});
  CHECK(graph.per_step == Time{41'000'000});
  CHECK(graph.mode == cost::LaunchMode::graph);
  CHECK(blocking.mode == cost::LaunchMode::blocking);
  CHECK(blocking.per_kernel == Time{19'000'000});
}

TEST_CASE("calls cost the host more by rank where a pipeline spans nodes, and only there") {
  const auto cost = [](const char* layout, int nodes) {
    return input_of(scenario_of(layout, "", ", launch: {per_collective_rank: 31 us}", nodes))
        .stack.launch.per_collective_rank.value;
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
                        Case{"bf16", DType::bf16, DType::bf16, 2, 12}, Case{"fp8", DType::fp8, DType::bf16, 2, 12},
                        Case{"mxfp8", DType::fp8, DType::bf16, 2, 12}}) {
    CAPTURE(std::string(c.precision));
    const program::StepInput p = input_of(scenario_of("data: 8", fmt::format(", precision: {}", c.precision), ""));
    CHECK(p.pass.compute == c.compute);
    CHECK(p.pass.activation == c.activation);
    CHECK(p.state.weight_bytes == c.weights);
    CHECK(p.state.gathered_bytes == c.weights);
    CHECK(p.state.optimizer_bytes == c.optimizer);
    CHECK(p.state.gradient_bytes == 4);
  }
  const auto fp8_rate = [](const char* precision) {
    return input_of(scenario_of("data: 8", fmt::format(", precision: {}", precision), "")).kernels.fp8_sustained;
  };
  CHECK(fp8_rate("mxfp8") == fp8_rate("fp8") * 0.94);  // scales of 32 elements (KernelModel::mxfp8_rate)
  const program::StepInput said = input_of(scenario_of(
      "data: 8", ", weight_bytes: 3, gradient_bytes: 2, optimizer_bytes: 5, recompute: full, recompute_every: 2", ""));
  CHECK(said.state.weight_bytes == 3);
  CHECK(said.state.gradient_bytes == 2);
  CHECK(said.state.optimizer_bytes == 5);
  CHECK(said.state.gathered_bytes == 3);
  CHECK(said.stack.optimizer.gradient_bytes == 2);
  CHECK(said.pass.recompute == layout::Recompute::full);
  CHECK(said.pass.recompute_every == 2);
}

}  // namespace orrery::scenario::running_test
