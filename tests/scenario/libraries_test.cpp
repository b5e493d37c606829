// What libraries hold of the memory of a GPU.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/scenario/evaluate.hpp"
#include "simulated.hpp"

namespace orrery::scenario::libraries_test {
namespace {

std::string text_of(const char* cluster, const char* libraries) {
  return fmt::format(
      "model: {{type: gpt3-125m, layers: 2}}\ncluster: {{type: {}, nodes: 1}}\nlayout: {{data: 8}}\ntraining: "
      "{{sequence_length: 1024, global_batch: 8}}\nstack: {{type: megatron-2026, libraries: {}}}\n",
      cluster, libraries);
}
engine::DeviceMemory memory_of(const char* cluster, const char* libraries) {
  return simulated(text_of(cluster, libraries)).memory.front();
}

}  // namespace

// Two buffers of 32 MiB that PyTorch gives cuBLAS, and one of the size that cuBLAS asks for: 4 MiB, from Hopper on 32.
TEST_CASE("work spaces of libraries are part of the peak, by GPU") {
  constexpr std::int64_t kMiB = 1 << 20;
  const auto other = static_cast<std::size_t>(program::MemoryClass::other);
  for (const auto& [cluster, workspace] : {std::pair{"selene", 4}, std::pair{"dgx-h100", 32}}) {
    const engine::DeviceMemory with = memory_of(cluster, "{}"), none = memory_of(cluster, "{held: 0 B, workspaces: 0}");
    CHECK(with.peak - none.peak == (64 + workspace) * kMiB);
    CHECK(with.at_peak[other] == (64 + workspace) * kMiB);
    CHECK(none.at_peak[other] == 0);
    CHECK(memory_of(cluster, "{held: 1 MiB, workspaces: 3}").at_peak[other] == (1 + 3 * workspace) * kMiB);
  }
}

TEST_CASE("what libraries have outside of the allocator is no tensor's: it is part of the context, run and swept") {
  const report::RunResult none = simulated(text_of("dgx-h100", "{}")),
                          with = simulated(text_of("dgx-h100", "{outside: 3 GiB}"));
  constexpr std::int64_t kOutside = std::int64_t{3} << 30;
  CHECK((with.context_memory - none.context_memory).value == kOutside);
  CHECK(with.memory.front().peak == none.memory.front().peak);
  CHECK(report::metrics_of(none).headroom - report::metrics_of(with).headroom == kOutside);
  const auto free = [](const char* libraries) {
    EvaluationCosts costs;
    return evaluate(*resolve(*read_scenario_text(text_of("dgx-h100", libraries), "test.yaml"), Catalogue::shared(), {}),
                    costs)
        ->free;
  };
  CHECK(free("{}") - free("{outside: 3 GiB}") == kOutside);
}

TEST_CASE("libraries that leave no memory are refused with what is allowed") {
  const auto read = read_scenario_text(text_of("dgx-h100", "{outside: 100 GiB}"), "test.yaml");
  REQUIRE(!read.ok());
  const std::string said = render(read.errors());
  CAPTURE(said);
  CHECK(said.find("stack.libraries.outside: leaves h100-sxm-80gb no memory") != std::string::npos);
  CHECK(said.find("test.yaml:5:") != std::string::npos);
  CHECK(said.find("a value of up to 80") != std::string::npos);
}

}  // namespace orrery::scenario::libraries_test
