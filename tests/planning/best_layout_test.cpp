// The search for the best layout against a sweep of all that it goes over, played to the end.
#include "planning/best_layout.hpp"

#include <fmt/format.h>

#include "answers.hpp"
#include "orrery/core/yaml.hpp"
#include "orrery/sweep/sweep.hpp"

namespace orrery::planning::best_layout_test {
namespace {

// Whoever comes out as the best of both recomputations when nothing is left out.
struct Best {
  std::int64_t step_ps = 0;
  std::string recompute;
};
std::optional<Best> of_all(const LayoutSearch& s) {
  const YamlTree tree = *read_yaml_text(
      fmt::format("model: {}\ncluster: {{type: {}, gpus: {}}}\ntraining: {{sequence_length: {}, global_batch: {}, "
                  "precision: bf16}}\nnetwork: ideal\nstack: megatron-2024\n",
                  s.model, s.cluster, s.gpus, s.sequence_length, s.sequences),
      "test.yaml");
  const auto space = sweep::read_space(
      "recompute=none,full; tensor=1,2,4,8; pipeline=1,2,4,8,16; virtual=1,2,4,8; micro_batch=1,2; zero=optimizer; "
      "sequence_parallel=true,false; partition=even,ends_count_as_layers",
      tree, Catalogue::shared());
  REQUIRE(space.ok());
  sweep::Options options;
  options.prune = false;
  options.threads = 0;
  const auto outcome = sweep::sweep(tree, *space, Catalogue::shared(), options);
  REQUIRE(outcome.ok());
  if (outcome->best.empty()) return std::nullopt;
  const sweep::Row& best = outcome->best.front();
  return Best{best.figures.step_time_ps, sweep::values_of(best.point, outcome->space).front()};
}

// Exhaustive sweeps take minutes under the sanitizers, which see as much of them in tests/sweep.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSwept = false;
#else
constexpr bool kSwept = true;
#endif

TEST_CASE("what the search leaves out is never the best" * doctest::skip(!kSwept)) {
  // The second needs recomputation on a part of its layouts, the third on all that fit, the last fits nowhere.
  const std::vector<LayoutSearch> searches{{"gpt3-1.3b", "dgx-a100", 8, 2048, 64},
                                           {"llama2-7b", "dgx-a100", 8, 4096, 16},
                                           {"gpt3-6.7b", "selene-a100-40gb", 8, 2048, 16},
                                           {"gpt3-175b", "dgx-a100", 16, 2048, 16}};
  int fit = 0;
  for (const LayoutSearch& s : searches) {
    CAPTURE(s.model);
    const auto all = of_all(s);
    const BestLayout found = value_of(best_layout(s, Catalogue::shared()));
    REQUIRE(found.why.empty() == all.has_value());
    if (!all) continue;
    ++fit;
    CHECK(found.layout.find("recompute=" + all->recompute) != std::string::npos);
    // Of the same layout: reported with the links that are shared, so at least as long.
    CHECK(found.result.timeline.step_time.value >= all->step_ps);
    CHECK(static_cast<double>(found.result.timeline.step_time.value) < 1.05 * static_cast<double>(all->step_ps));
  }
  CHECK(fit == 3);
}

TEST_CASE("16 bits are bf16 where the GPU has a peak of it") {
  hardware::Gpu gpu;
  CHECK(half_of(gpu) == DType::fp16);
  const auto a100 = best_layout({"gpt2", "dgx-a100", 8, 1024, 16}, Catalogue::shared());
  REQUIRE(a100.ok());
  CHECK(half_of(a100->scenario.gpu) == DType::bf16);
}

}  // namespace
}  // namespace orrery::planning::best_layout_test
