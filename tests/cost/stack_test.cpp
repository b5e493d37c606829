#include "orrery/cost/stack.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace orrery::cost {
namespace {

TEST_CASE("every stack of the validation tables exists and loads") {
  const std::vector<std::string> names = stack_names();
  CHECK(names == std::vector<std::string>{"ibm-fsdp", "llm-foundry", "maxtext-2025", "megatron-2020", "megatron-2021",
                                          "megatron-2022", "megatron-2023", "megatron-2024", "megatron-2025",
                                          "megatron-deepspeed-2021", "megatron-deepspeed-2022", "nanotron", "nemo-2022",
                                          "nemo-2024", "nemo-2025", "torchtitan-2024", "torchtitan-2025"});
  for (const std::string& name : names) {
    const auto stack = load_stack(name);
    REQUIRE_MESSAGE(stack.ok(), (stack.ok() ? std::string() : render(stack.errors())));
    CHECK(stack->name == name);
    CHECK(stack->about.size() > 80);
    CHECK(stack->optimizer.traffic >= 14);  // Adam reads gradient, parameter, moments and writes three, at 2 bytes each
    CHECK((stack->launch.mode == LaunchMode::graph) == (stack->launch.per_kernel.value == 0));
  }
}

TEST_CASE("a stack file survives being written and read again") {
  for (const std::string& name : stack_names()) {
    const auto stack = load_stack(name);
    const std::string text = dump_yaml(stack_fields(), &*stack);
    const auto tree = read_yaml_text(text, "dump");
    REQUIRE(tree.ok());
    const auto again = read(stack_fields(), *tree, tree->root());
    REQUIRE_MESSAGE(again.ok(), text);
    CHECK(dump_yaml(stack_fields(), &*again) == text);
  }
}

Diagnostics errors_of(const std::string& text) {
  const auto tree = read_yaml_text(text, "stack.yaml");
  REQUIRE(tree.ok());
  const auto stack = read(stack_fields(), *tree, tree->root());
  return stack.ok() ? Diagnostics{} : stack.errors();
}

TEST_CASE("mistakes in a stack are found with place and remedy") {
  const std::string start = "name: own\nabout: mine\n";
  CHECK(errors_of(start).empty());
  CHECK(errors_of(start + "kernels: {attention: [flash], attention_library: flash2}\n").empty());
  CHECK(errors_of("about: mine\n").size() == 1);
  CHECK(errors_of(start + "kernel: {}\n").front().help == "did you mean 'kernels'?");
  CHECK(errors_of(start + "kernels: {attention: []}\n").size() == 1);
  CHECK(errors_of(start + "kernels: {matrix_rate: -1}\n").size() == 1);
  CHECK(errors_of(start + "launch: {per_kernel: 5}\n").size() == 1);  // no unit
  CHECK(errors_of(start + "launch: {mode: lazy}\n").size() == 1);
  CHECK(errors_of(start + "communication: {data_slowdown_percent: 99}\n").size() == 1);
  CHECK(errors_of(start + "communication: {embedding_reduce: sometimes}\n").size() == 1);
  CHECK(errors_of(start + "communication: {pass_overlap_percent: 100}\n").empty());
  CHECK(errors_of(start + "communication: {pass_overlap_percent: 101}\n").size() == 1);
  CHECK(errors_of(start + "communication: {pass_overlap_percent: -1}\n").size() == 1);
  CHECK(errors_of(start + "optimizer: {post_validation: split_backward}\n").empty());
  CHECK(errors_of(start + "optimizer: {post_validation: true}\n").size() == 1);
  CHECK_FALSE(load_stack("megatron-2026").ok());
  CHECK(load_stack("megatron-202").errors().front().help.starts_with("did you mean 'megatron-202"));
}

TEST_CASE("a stack shapes the passes and the kernel constants") {
  Stack stack;
  stack.kernels.fused_norm = false;
  stack.kernels.separate_projections = true;
  stack.communication.context_exchange = layout::ContextExchange::all_gather;
  stack.kernels.matrix_rate = 0.5;
  stack.kernels.memory_rate = 0.25;
  stack.kernels.attention_library = AttentionLibrary::flash1;
  layout::PassOptions options;
  options.micro_batch = 7;
  apply(stack, options);
  CHECK_FALSE(options.fused_norm);
  CHECK(options.fused_softmax);
  CHECK(options.separate_projections);
  CHECK(options.context_exchange == layout::ContextExchange::all_gather);
  CHECK(options.micro_batch == 7);

  KernelModel gpu;
  gpu.gemm.rate.bf16 = 0.8;
  gpu.memory.efficiency = 0.8;
  gpu.attention.resize(2);
  gpu.attention[1].library = AttentionLibrary::flash1;
  gpu.attention[1].forward.rate_128 = 0.4;
  const KernelModel with = with_stack(gpu, stack);
  CHECK(with.gemm.rate.bf16 == 0.4);
  CHECK(with.memory.efficiency == 0.2);
  REQUIRE(with.attention.size() == 1);
  CHECK(with.attention.front().forward.rate_128 == 0.4);
}

}  // namespace
}  // namespace orrery::cost
