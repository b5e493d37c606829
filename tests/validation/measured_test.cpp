// The measured runs that come with Orrery, and which of them are like a run.
#include "orrery/validation/measured.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "orrery/scenario/run.hpp"
#include "paths.hpp"

namespace orrery::validation::measured_test {
namespace {

std::vector<report::HeldAgainst> like(const std::string& cluster, const std::string& stack) {
  const auto s = scenario::read_scenario_text("model: gpt2\ncluster: " + cluster +
                                                  "\nlayout: {data: 8}\ntraining: {sequence_length: 1024, "
                                                  "global_batch: 16, precision: bf16}\nstack: " +
                                                  stack + "\n",
                                              "test.yaml");
  REQUIRE_MESSAGE(s.ok(), (s.ok() ? "" : render(s.errors())));
  const auto held = measured_runs_like(*s);
  REQUIRE(held.ok());
  return *held;
}

TEST_CASE("each measured run is of a GPU and a stack, and off by less than half") {
  const auto runs = measured_runs();
  REQUIRE(runs.ok());
  CHECK(runs->size() > 50);
  for (const MeasuredRun& r : *runs) {
    CAPTURE(r.id);
    CHECK_FALSE(r.gpu.empty());
    CHECK_FALSE(r.stack.empty());
    CHECK(std::abs(r.error_percent) < 50);
  }
}

TEST_CASE("the stack and the GPU of a run count most, six runs are named") {
  const auto held = like("{type: selene, nodes: 1}", "megatron-2023");
  REQUIRE(held.size() == 6);
  // Zero-bubble runs are the five with this stack, on the same GPU; the sixth shares the GPU alone.
  for (std::size_t i = 0; i < 5; ++i) CHECK(held[i].what.find("megatron-2023") != std::string::npos);
  CHECK(held[5].what.find("megatron-2023") == std::string::npos);
  CHECK(held[5].what.find("a100-sxm-80gb") != std::string::npos);
}

// The ids of runs of a user's table in the order in which they are like 8 GPUs of selene under megatron-2023.
std::string order_of(std::initializer_list<const char*> runs,
                     scenario::Precision precision = scenario::Precision::bf16) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("orrery_measured_" + std::to_string(::getpid()));
  fs::create_directories(folder / "validation");
  std::ofstream file(folder / "validation/measured.yaml");
  file << "runs:\n";
  for (const char* run : runs) file << "  - {model: m, error_percent: 1, " << run << "}\n";
  file.close();
  ::setenv("ORRERY_SCENARIOS", folder.c_str(), 1);
  auto s = scenario::load_scenario(orrery::testing::source_dir() + "/scenarios/quickstart-8gpu.yaml",
                                   {"stack=megatron-2023"});
  REQUIRE_MESSAGE(s.ok(), render(s.errors()));
  s->training.precision = precision;
  Catalogue catalogue;
  const auto held = measured_runs_like(*s, catalogue);
  ::unsetenv("ORRERY_SCENARIOS");
  fs::remove_all(folder);
  REQUIRE(held.ok());
  std::string text;
  for (const report::HeldAgainst& run : *held) text += run.id;
  return text;
}

// A doubling of the GPUs takes half a point, so that each worth stands between half a point more and half a point less.
TEST_CASE("stack and GPU are worth four, the cluster two, the precision one, a doubling of the GPUs minus a half") {
  const char *const stack = "stack: megatron-2023, gpu: t4", *const gpu = "stack: x, gpu: a100-sxm-80gb",
                    *const both = "stack: megatron-2023, gpu: a100-sxm-80gb";
  const auto run = [](const char* id, const std::string& words, int gpus) {
    return fmt::format("id: {}, {}, gpus: {}", id, words, gpus);
  };
  const std::string bf16 = ", precision: bf16", fp32 = ", precision: fp32", selene = ", cluster: selene";
  // 4 + 1 − 0.5, 4, 4 − 0.5.
  CHECK(order_of({run("c", gpu, 16).c_str(), run("b", stack, 8).c_str(), run("a", gpu + bf16, 4).c_str()}) == "abc");
  CHECK(order_of({run("c", stack, 4).c_str(), run("b", gpu, 8).c_str(), run("a", stack + bf16, 16).c_str()}) == "abc");
  // 8 − 1.5, 4 + 2, 8 − 2.5.
  CHECK(order_of({run("c", both, 256).c_str(), run("b", stack + selene, 8).c_str(), run("a", both, 64).c_str()}) ==
        "abc");
  // 8 − 2.5, 4 + 1, 8 − 3.5.
  CHECK(order_of({run("c", both, 1024).c_str(), run("b", stack + bf16, 8).c_str(), run("a", both, 256).c_str()}) ==
        "abc");
  // Each number format is told from the others.
  for (std::size_t i = 0; i < scenario::kPrecisionNames.size(); ++i) {
    const std::string of = scenario::kPrecisionNames[i];
    const std::string same = both + (", precision: " + of), other = both + (of == "fp32" ? bf16 : fp32);
    const auto precision = static_cast<scenario::Precision>(i);
    CHECK(order_of({run("b", other, 8).c_str(), run("a", same, 8).c_str()}, precision) == "ab");
  }
  // Neither its stack nor its GPU: not like it, whatever else.
  CHECK(order_of({run("d", std::string("stack: x, gpu: t4") + selene + bf16, 8).c_str(), run("a", both, 8).c_str()}) ==
        "a");
}

TEST_CASE("where neither GPU nor stack was measured nothing is like it") {
  CHECK(like("{gpu: rtx-4090, nodes: 1, gpus_per_node: 8, pcie_bandwidth: 32 GB/s, scale_up: {kind: pcie, latency: 1.5 "
             "us}, scale_out: {kind: ethernet, nics_per_node: 1, nic_bandwidth: 100 Gb/s, nic_latency: 2 us, "
             "switch_latency: 1 us, fabric: single_switch}}",
             "megatron-2024")
            .empty());
}

}  // namespace
}  // namespace orrery::validation::measured_test
