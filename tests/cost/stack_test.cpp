#include "orrery/cost/stack.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace orrery::cost::stack_test {
namespace {

TEST_CASE("every stack of the validation tables exists and loads") {
  const std::vector<std::string> names = stack_names();
  CHECK(names == std::vector<std::string>{"deepspeed-zero",
                                          "fsdp2-ep-2026",
                                          "hf-fsdp",
                                          "ibm-fsdp",
                                          "llm-foundry",
                                          "maxtext-2025",
                                          "megatron-2020",
                                          "megatron-2021",
                                          "megatron-2022",
                                          "megatron-2023",
                                          "megatron-2024",
                                          "megatron-2025",
                                          "megatron-2025-moe",
                                          "megatron-2026",
                                          "megatron-deepspeed-2021",
                                          "megatron-deepspeed-2022",
                                          "megatron-rocm-2025",
                                          "mlperf-2023",
                                          "mlperf-2023-h1",
                                          "mlperf-2024",
                                          "mlperf-2025",
                                          "nanotron",
                                          "nemo-2022",
                                          "nemo-2024",
                                          "nemo-2025",
                                          "nemo-2026",
                                          "sailor-2025",
                                          "torchtitan-2024",
                                          "torchtitan-2025"});
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

TEST_CASE("a stack that names another has its values where it says nothing") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "orrery_stack_test";
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder / name) << text;
    return (folder / name).string();
  };
  const auto base = load_stack("nemo-2025");
  const auto own =
      load_stack(write("own.yaml", "type: nemo-2025\nname: own\nabout: mine\nkernels: {memory_rate: 0.5}\n"));
  REQUIRE(own.ok());
  CHECK(own->name == "own");
  CHECK(own->kernels.memory_rate == 0.5);
  CHECK(own->kernels.matrix_rate == base->kernels.matrix_rate);
  CHECK(own->launch.per_step == base->launch.per_step);
  const auto third = load_stack(write("third.yaml", "type: ./own.yaml\nname: third\nabout: mine\n"));
  REQUIRE_MESSAGE(third.ok(), (third.ok() ? std::string() : render(third.errors())));
  CHECK(third->kernels.memory_rate == 0.5);
  const auto bad = load_stack(write("bad.yaml", "type: nemo-2125\nname: bad\nabout: mine\n"));
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.errors().front().path == "type");
  CHECK(bad.errors().front().message.starts_with("unknown stack 'nemo-2125'; known: "));
  const auto circle = load_stack(write("circle.yaml", "type: ./circle.yaml\nname: circle\nabout: mine\n"));
  REQUIRE_FALSE(circle.ok());
  CHECK(circle.errors().front().message == "stacks that name each other by type never end");
  std::filesystem::remove_all(folder);
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
  CHECK_FALSE(load_stack("megatron-2122").ok());
  CHECK(load_stack("megatron-202").errors().front().help.starts_with("did you mean 'megatron-202"));
}

TEST_CASE("a stack shapes the kernel constants") {
  Stack stack;
  stack.kernels.matrix_rate = 0.5;
  stack.kernels.memory_rate = 0.25;
  stack.kernels.attention_library = AttentionLibrary::flash1;
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
}  // namespace orrery::cost::stack_test
