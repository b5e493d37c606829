// Bounds are below what is played, and pruning by them changes none of the best.
#include "sweep/bounds.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "orrery/core/random.hpp"
#include "orrery/sweep/sweep.hpp"
#include "scenario/parts.hpp"
#include "sweep/evaluate.hpp"
#include "sweep/points.hpp"

namespace orrery::bounds_test {

namespace {

YamlTree tree(const std::string& model = "gpt3-6.7b", const std::string& more = {}) {
  return *read_yaml_text(fmt::format("model: {{type: {}, layers: 4}}\n"
                                     "cluster: {{type: selene, nodes: 1}}\n"
                                     "layout: {{tensor: 2, data: 4}}\n"
                                     "training: {{sequence_length: 1024, global_batch: 8, precision: bf16}}\n"
                                     "stack: megatron-2024\n{}",
                                     model, more),
                         "test.yaml");
}

constexpr const char* kWide =
    "tensor=1,2,4; pipeline=1,2,4; virtual=1,2; micro_batch=1,2,4; recompute=none,selective,full; "
    "zero=none,optimizer,gradients,parameters; schedule=1f1b,gpipe,interleaved_1f1b,zb_h1,looped_bfs,zbv; "
    "precision=bf16,fp32; context=1,2";

std::string best_of(const sweep::Outcome& outcome) {
  std::string text;
  for (const sweep::Row& row : outcome.best)
    text += fmt::format("{} {} {}\n", row.point, row.figures.step_time_ps, row.figures.memory_bytes);
  return text;
}

// Two or three values of a key.
std::string draw(Random& random, const std::vector<std::string>& values) {
  std::string text = values[random.below(values.size())];
  for (const std::string& value : values)
    if (random.below(3) == 0 && text.find(value) == std::string::npos) text += "," + value;
  return text;
}

std::string draw_space(Random& random) {
  return fmt::format("tensor={}; pipeline={}; micro_batch={}; recompute={}; schedule={}", draw(random, {"1", "2", "4"}),
                     draw(random, {"1", "2", "4"}), draw(random, {"1", "2", "4"}), draw(random, {"none", "full"}),
                     draw(random, {"1f1b", "gpipe", "zb_h1"}));
}

}  // namespace

TEST_CASE("no layout that is played is better than its bounds") {
  const YamlTree scenario = tree();
  const auto space = sweep::read_space(kWide, scenario, Catalogue::shared());
  REQUIRE(space.ok());
  auto points = sweep::Points::make(*space, scenario, Catalogue::shared());
  REQUIRE(points.ok());
  sweep::Options options;
  options.prune = false;
  options.sample = 300;
  double closest = 0, closest_memory = 0;
  options.row = [&](const sweep::Row& row) {
    if (row.status > sweep::Status::unwanted) return;
    const sweep::Digits digits = points->digits(row.point);
    scenario::Scenario s = **points->read(digits);
    points->set(digits, 0, s);
    const sweep::Bounds bounds = sweep::bounds_of(s);
    CHECK(bounds.step_time_ps > 0);
    CHECK(bounds.step_time_ps <= static_cast<double>(row.figures.step_time_ps));
    CHECK(bounds.memory_bytes <= static_cast<double>(row.figures.peak_memory_bytes));
    closest = std::max(closest, bounds.step_time_ps / static_cast<double>(row.figures.step_time_ps));
    closest_memory = std::max(closest_memory, bounds.memory_bytes / static_cast<double>(row.figures.peak_memory_bytes));
  };
  const auto outcome = sweep::sweep(scenario, *space, Catalogue::shared(), options);
  REQUIRE(outcome.ok());
  CHECK(outcome->counts.evaluated > 20);
  CHECK(closest > 0.3);  // they say something
  CHECK(closest_memory > 0.1);
}

// With batch_split balanced a list of numbers says nothing: 15 of 16 micro-batches on the first replica would bound the
// step by almost twice what the 8 that are chosen take.
TEST_CASE("numbers of micro-batches that are not taken bound nothing") {
  const auto bounds = [](const char* list) {
    const auto scenario = scenario::read_parts(
        *read_yaml_text(fmt::format("model: {{type: gpt3-6.7b, layers: 4}}\ncluster: {{type: selene, nodes: 1}}\n"
                                    "layout: {{tensor: 4, data: 2, batch_split: balanced{}}}\n"
                                    "training: {{sequence_length: 1024, global_batch: 16}}\nstack: megatron-2024\n",
                                    list),
                        "test.yaml"),
        Catalogue::shared());
    REQUIRE(scenario.ok());
    return sweep::bounds_of(*scenario).step_time_ps;
  };
  CHECK(bounds("") > 0);
  CHECK(bounds(", micro_batches_per_replica: [15, 1]") == bounds(""));
}

TEST_CASE("pruning finds the same best layouts as playing all of them, on fifty drawn spaces") {
  const YamlTree scenario = tree("gpt3-6.7b", "network: ideal\n");
  Random random(7);
  std::int64_t pruned = 0;
  for (int i = 0; i < 50; ++i) {
    const auto space = sweep::read_space(draw_space(random), scenario, Catalogue::shared());
    REQUIRE(space.ok());
    sweep::Options options;
    options.top = 1 + random.below(2);
    options.wave = 4;
    const auto fast = sweep::sweep(scenario, *space, Catalogue::shared(), options);
    options.prune = false;
    const auto all = sweep::sweep(scenario, *space, Catalogue::shared(), options);
    REQUIRE(fast.ok());
    REQUIRE(all.ok());
    CHECK(best_of(*fast) == best_of(*all));
    CHECK(fast->counts.evaluated + fast->counts.pruned == all->counts.evaluated);
    pruned += fast->counts.pruned;
  }
  CHECK(pruned > 5);
}

TEST_CASE("what cannot fit by its state alone is pruned, and the nearest says what it lacks at least") {
  YamlTree scenario = tree("gpt3-175b");
  REQUIRE(scenario.set("model.layers=48").empty());
  const auto space = sweep::read_space("tensor=1,2; pipeline=1", scenario, Catalogue::shared());
  REQUIRE(space.ok());
  const auto outcome = sweep::sweep(scenario, *space, Catalogue::shared(), {});
  REQUIRE(outcome.ok());
  CHECK(outcome->counts.pruned == 2);
  CHECK(outcome->best.empty());
  REQUIRE(outcome->nearest);
  CHECK(outcome->nearest->point == 1);
  CHECK(outcome->nearest->figures.headroom_bytes < 0);
}

// A layout that a bound rules out has no figures: no condition holds of them, and none is broken.
TEST_CASE("what is pruned is told by the bound that does it, whatever conditions there are") {
  const YamlTree scenario = tree("gpt3-6.7b", "network: ideal\n");
  const auto space =
      sweep::read_space("tensor=1,2,4,8; micro_batch=1,2,4; recompute=none,full", scenario, Catalogue::shared());
  REQUIRE(space.ok());
  sweep::Options options;
  options.top = 1;
  options.wave = 1;
  const auto fast = sweep::sweep(scenario, *space, Catalogue::shared(), options);
  REQUIRE(fast.ok());
  std::int64_t by_passes = 0;
  for (const sweep::Reason& r : fast->pruned) by_passes += r.why == sweep::kSlowerPasses ? r.points : 0;
  CHECK(by_passes > 0);
  for (const char* text : {"mfu >= 0.01", "memory >= 1 GiB"}) {
    options.where = {*sweep::Condition::parse(text, "--where")};
    const auto asked = sweep::sweep(scenario, *space, Catalogue::shared(), options);
    REQUIRE(asked.ok());
    CHECK(best_of(*asked) == best_of(*fast));
    CHECK(asked->counts.pruned == fast->counts.pruned);
    CHECK(asked->unwanted.empty());
  }
}

// It lacks memory: what it is passed over for is what was asked, not that.
TEST_CASE("a layout that is too large and too slow is pruned for what was asked about") {
  const auto s = scenario::read_parts(tree("gpt3-175b", "network: ideal\n"), Catalogue::shared());
  REQUIRE(s.ok());
  scenario::Scenario large = *s;
  large.training.global_batch = 1024, large.training.micro_batch = 64;
  sweep::Evaluator evaluator(Catalogue::shared(), {});
  const sweep::Evaluation whole = evaluator.evaluate(large);
  REQUIRE(whole.status == sweep::Status::does_not_fit);
  const Bytes any{INT64_MAX / 4};
  const sweep::Evaluation slow = evaluator.evaluate(large, {.memory = any, .played = Time{1}, .judged = {}});
  CHECK(slow.status == sweep::Status::pruned);
  CHECK(slow.why == sweep::kSlowerPasses);
  CHECK(slow.figures.headroom_bytes < 0);
  const sweep::Evaluation far = evaluator.evaluate(large, {.memory = Bytes{1}, .played = Time{1}, .judged = {}});
  CHECK(far.why == sweep::kFarTooLarge);
  CHECK(far.figures.headroom_bytes >= whole.figures.headroom_bytes);  // at least so much
}

TEST_CASE("a search for the best alone finds it, without asking whether slower layouts fit") {
  const YamlTree scenario = tree("gpt3-6.7b", "network: ideal\n");
  const auto space =
      sweep::read_space("tensor=4,2,1; micro_batch=1,2; recompute=none,full", scenario, Catalogue::shared());
  REQUIRE(space.ok());
  sweep::Options options;
  options.top = 1;
  options.wave = 1;
  options.prune = false;
  const auto all = sweep::sweep(scenario, *space, Catalogue::shared(), options);
  options.prune = true;
  options.search.emplace();
  const auto hunted = sweep::sweep(scenario, *space, Catalogue::shared(), options);
  REQUIRE((all.ok() && hunted.ok()));
  REQUIRE(all->best.size() == 1);
  CHECK(best_of(*hunted) == best_of(*all));
  const auto is_slower = [](const sweep::Reason& r) { return r.why == sweep::kSlower; };
  CHECK(std::any_of(hunted->pruned.begin(), hunted->pruned.end(), is_slower));
  // What is known to take as long as the best of another sweep is not played at all; nor is that worse than it.
  options.search->best = all->best.front();
  options.search->at_least_ps = [&](std::int64_t) { return all->best.front().figures.step_time_ps + 1; };
  const auto known = sweep::sweep(scenario, *space, Catalogue::shared(), options);
  REQUIRE(known.ok());
  CHECK(known->counts.evaluated == 0);
  CHECK(known->best.empty());
}

}  // namespace orrery::bounds_test
