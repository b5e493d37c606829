// The measured runs that come with Orrery, and which of them are like a run.
#include "orrery/validation/measured.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "orrery/scenario/run.hpp"

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

TEST_CASE("where neither GPU nor stack was measured nothing is like it") {
  CHECK(like("{gpu: rtx-4090, nodes: 1, gpus_per_node: 8, pcie_bandwidth: 32 GB/s, scale_up: {kind: pcie, latency: 1.5 "
             "us}, scale_out: {kind: ethernet, nics_per_node: 1, nic_bandwidth: 100 Gb/s, nic_latency: 2 us, "
             "switch_latency: 1 us, fabric: single_switch}}",
             "megatron-2024")
            .empty());
}

}  // namespace
}  // namespace orrery::validation::measured_test
