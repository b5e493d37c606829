// Quantities may stand in quotes, of every type; other words may not.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/scenario/run.hpp"

namespace orrery::scenario::quoted_test {

namespace {

Result<Scenario> read(const std::string& cluster, const std::string& stack) {
  return read_scenario_text(fmt::format("model: gpt2\ncluster: {{type: dgx-h100, nodes: 1{}}}\nlayout: {{data: 8}}\n"
                                        "training: {{sequence_length: 1024, global_batch: 8}}\n"
                                        "stack: {{type: megatron-2022{}}}\n",
                                        cluster, stack),
                            "t.yaml");
}

}  // namespace

TEST_CASE("quantities in quotes") {
  const auto s =
      read(", pcie_bandwidth: \"32 GB/s\", pcie_latency: '700 ns', gpu_definition: {usable_memory: \"70 GiB\"}",
           ", communication: {bucket: \"11 MB\"}");
  REQUIRE_MESSAGE(s.ok(), render(s.errors()));
  CHECK(s->cluster.pcie_bandwidth.value == 32'000'000'000);
  CHECK(s->cluster.pcie_latency.value == 700'000);
  CHECK(s->gpu.usable_memory.value == 70LL << 30);
  CHECK(s->stack.communication.bucket.value == 11'000'000);
}

TEST_CASE("integers and booleans in quotes are refused with what to do") {
  for (const char* stack : {", communication: {prefetch: \"3\"}", ", communication: {overlap_data: \"true\"}"}) {
    const auto s = read("", stack);
    REQUIRE(!s.ok());
    CHECK(s.errors().front().help == "remove the quotes");
  }
}

}  // namespace orrery::scenario::quoted_test
