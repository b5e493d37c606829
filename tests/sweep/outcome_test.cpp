// What a sweep tells beside its best: counts by reason, what 10 % more would give, layouts played again, its identity.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "orrery/sweep/store.hpp"
#include "orrery/sweep/sweep.hpp"

namespace orrery::sweep::outcome_test {
namespace {

YamlTree tree(const std::string& more = {}) {
  return *read_yaml_text(
      "model: {type: gpt2-medium, layers: 8}\n"
      "cluster: {type: selene, nodes: 2}\n"
      "training: {sequence_length: 1024, global_batch: 32, precision: bf16}\n"
      "stack: megatron-2024\n" +
          more,
      "test.yaml");
}

Outcome swept(const std::string& words, const Options& options = {}, const std::string& more = {}) {
  const auto space = read_space(words, tree(more), Catalogue::shared());
  REQUIRE_MESSAGE(space.ok(), (space.ok() ? "" : render(space.errors())));
  auto outcome = sweep(tree(more), *space, Catalogue::shared(), options);
  REQUIRE_MESSAGE(outcome.ok(), (outcome.ok() ? "" : render(outcome.errors())));
  return *outcome;
}

std::int64_t points(const std::vector<Reason>& reasons) {
  std::int64_t sum = 0;
  for (const Reason& r : reasons) sum += r.points;
  return sum;
}

TEST_CASE("reasons that differ in numbers alone are one, the most frequent first, and sum to the count") {
  const Outcome o = swept("tensor=1,2,3,5,7; pipeline=1,2,4; micro_batch=1,3");
  CHECK(points(o.refused) == o.counts.refused);
  CHECK(points(o.pruned) == o.counts.pruned);
  for (std::size_t i = 1; i < o.refused.size(); ++i) CHECK(o.refused[i - 1].points >= o.refused[i].points);
  std::map<std::string, int> seen;
  for (const Reason& r : o.refused) CHECK(++seen[r.why] == 1);
  // 3, 5 and 7 do not divide 16 GPUs: 18 points of 30.
  const auto degrees = std::find_if(o.refused.begin(), o.refused.end(),
                                    [](const Reason& r) { return r.why.find("do not multiply") != std::string::npos; });
  REQUIRE(degrees != o.refused.end());
  CHECK(degrees->points == 18);
}

TEST_CASE("10 % more of a resource never takes longer, and is asked of each") {
  Options options;
  options.sensitivity = true;
  const Outcome o = swept("tensor=2; pipeline=2", options);
  REQUIRE(o.best.size() == 1);
  REQUIRE(o.sensitivity.size() == 7);
  const std::int64_t base = o.best.front().figures.step_time_ps;
  for (const Sensitivity& s : o.sensitivity) {
    CAPTURE(s.resource);
    CHECK(s.step_time_ps <= base);
    CHECK(s.step_time_ps > base * 9 / 10 - 1);  // no more than all of it
  }
  CHECK(o.sensitivity.front().step_time_ps < base);  // of FLOP/s
  options.sensitivity = false;
  CHECK(swept("tensor=2; pipeline=2", options).sensitivity.empty());
}

TEST_CASE("layouts that are played again, every rank and event by event, are equal") {
  Options options;
  options.verify = 4;
  options.prune = false;
  const Outcome o = swept("tensor=1,2; pipeline=1,2; micro_batch=1,2", options, "network: ideal\n");
  CHECK(o.verified.equal + o.verified.too_large == 4);
  CHECK(o.verified.equal >= 2);
  CHECK(o.verified.different.empty());
}

TEST_CASE("as many are shown as asked for, in order") {
  Options options;
  options.top = 3;
  options.prune = false;
  const Outcome three = swept("tensor=1,2,4; pipeline=1,2; micro_batch=1,2", options);
  REQUIRE(three.best.size() == 3);
  options.top = 100;
  const Outcome all = swept("tensor=1,2,4; pipeline=1,2; micro_batch=1,2", options);
  CHECK(static_cast<std::int64_t>(all.best.size()) == all.counts.fit);
  for (std::size_t i = 0; i < 3; ++i) CHECK(all.best[i].point == three.best[i].point);
  for (std::size_t i = 1; i < all.best.size(); ++i) CHECK(better(all.best[i - 1], all.best[i]));
}

TEST_CASE("progress goes up to all points, and is told of each wave, and of parts of a large one") {
  Options options;
  options.wave = 2;
  std::vector<std::int64_t> told;
  options.progress = [&](std::int64_t done, std::int64_t of) {
    CHECK(of == 6);
    told.push_back(done);
  };
  for (const bool prune : {true, false}) {
    options.prune = prune;
    told.clear();
    swept("tensor=1,2,4; micro_batch=1,2", options);
    REQUIRE(told.size() >= 3);
    CHECK(std::is_sorted(told.begin(), told.end()));
    CHECK(told.back() == 6);
  }
}

TEST_CASE("a sweep without a dimension, or of a scenario that cannot be read, is refused") {
  const auto none = sweep(tree(), Space{}, Catalogue::shared(), {});
  REQUIRE_FALSE(none.ok());
  CHECK(render(none.errors()).find("has no dimension") != std::string::npos);
  YamlTree wrong = tree();
  REQUIRE(wrong.set("training.precision=bf17").empty());
  const auto space = read_space("tensor=1,2", tree(), Catalogue::shared());
  const auto refused = sweep(wrong, *space, Catalogue::shared(), {});
  REQUIRE_FALSE(refused.ok());
  CHECK(render(refused.errors()).find("training.precision") != std::string::npos);
}

TEST_CASE("two sweeps are one where scenario, space and what is followed are the same, however they are written") {
  const auto identity = [](const YamlTree& scenario, const std::string& words, bool reserved = false) {
    const auto space = read_space(words, scenario, Catalogue::shared());
    REQUIRE(space.ok());
    return Store::identity(scenario, *space, Catalogue::shared(), reserved);
  };
  const std::string one = identity(tree(), "tensor=1,2; micro_batch=1..2");
  CHECK(identity(tree(), "layout.tensor=1..2; training.micro_batch=1,2") == one);
  YamlTree same = tree();
  REQUIRE(same.set("training.recompute=none").empty());  // what it is anyway
  CHECK(identity(same, "tensor=1,2; micro_batch=1..2") == one);
  CHECK(identity(tree(), "micro_batch=1..2; tensor=1,2") != one);  // points have other numbers
  CHECK(identity(tree(), "tensor=1,2; micro_batch=1..3") != one);
  CHECK(identity(tree(), "tensor=1,2; micro_batch=1..2", true) != one);
  YamlTree other = tree();
  REQUIRE(other.set("training.global_batch=64").empty());
  CHECK(identity(other, "tensor=1,2; micro_batch=1..2") != one);
}

TEST_CASE("what run is told to play a layout again names each dimension, and data where the file says another") {
  const YamlTree scenario = tree("layout: {data: 16}\n");
  const auto space = read_space("tensor=1,2; micro_batch=1", scenario, Catalogue::shared());
  REQUIRE(space.ok());
  Row row;
  row.point = 1;
  row.data = 8;
  CHECK(assignments(row, *space, scenario, Catalogue::shared()) ==
        std::vector<std::string>{"layout.tensor=2", "training.micro_batch=1", "layout.data=8"});
  CHECK(values_of(1, *space) == std::vector<std::string>{"2", "1"});
  // Where the file says nothing of data, it follows in run as well.
  const auto free = read_space("tensor=1,2; micro_batch=1", tree(), Catalogue::shared());
  CHECK(assignments(row, *free, tree(), Catalogue::shared()).size() == 2);
}

}  // namespace
}  // namespace orrery::sweep::outcome_test
