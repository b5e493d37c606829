// What libraries hold of the memory of a GPU.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "simulated.hpp"

namespace orrery::scenario::libraries_test {
namespace {

engine::DeviceMemory memory_of(const char* cluster, const char* libraries) {
  return simulated(
             fmt::format("model: {{type: gpt3-125m, layers: 2}}\ncluster: {{type: {}, nodes: 1}}\nlayout: {{data: "
                         "8}}\ntraining: {{sequence_length: 1024, global_batch: 8}}\nstack: {{type: "
                         "megatron-2026, libraries: {}}}\n",
                         cluster, libraries))
      .memory.front();
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

}  // namespace orrery::scenario::libraries_test
