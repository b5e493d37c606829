// Points in waves: each once, folded where a key has no effect, sampled and sharded the same way every time.
#include "sweep/waves.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

namespace orrery::sweep::waves_test {
namespace {

YamlTree tree(const std::string& more = {}) {
  return *read_yaml_text(
      "model: gpt2\n"
      "cluster: {type: selene, nodes: 1}\n"
      "training: {sequence_length: 1024, global_batch: 16, micro_batch: 1, precision: bf16}\n"
      "stack: megatron-2024\n" +
          more,
      "test.yaml");
}

struct Seen {
  std::vector<Row> rows;
  std::vector<std::size_t> waves;  // groups of each
  std::size_t groups = 0;
};

// All waves; every group counts as played unless it is refused by `refuse`.
Seen go_over(const std::string& words, const Options& options, bool (*refuse)(std::int64_t) = nullptr) {
  const auto space = read_space(words, tree(), Catalogue::shared());
  REQUIRE_MESSAGE(space.ok(), (space.ok() ? "" : render(space.errors())));
  auto points = Points::make(*space, tree(), Catalogue::shared());
  REQUIRE(points.ok());
  Waves waves(std::move(points).value(), options);
  Seen seen;
  Wave wave;
  while (waves.next(wave)) {
    seen.waves.push_back(wave.groups.size());
    for (const Group& group : wave.groups) {
      ++seen.groups;
      if (refuse == nullptr || !refuse(wave.rows[group.rows.front()].point)) waves.played(group.key);
    }
    seen.rows.insert(seen.rows.end(), wave.rows.begin(), wave.rows.end());
  }
  return seen;
}

const std::string kWords = "tensor=1,2,3,4; pipeline=1,2; micro_batch=1,2; recompute=none,full";

TEST_CASE("every point has one row, in the order of the space, whatever the size of a wave") {
  for (const std::size_t size : {1U, 3U, 512U}) {
    Options options;
    options.search.emplace();
    options.wave = size;
    const Seen seen = go_over(kWords, options);
    REQUIRE(seen.rows.size() == 32);
    for (std::int64_t i = 0; i < 32; ++i) CHECK(seen.rows[static_cast<std::size_t>(i)].point == i);
    for (const std::size_t groups : seen.waves) CHECK(groups <= size);
  }
}

TEST_CASE("one wave holds all, but of a search that has an order of its own") {
  Options options;
  options.wave = 3;
  CHECK(go_over(kWords, options).waves == std::vector<std::size_t>{24});
  options.prune = false;
  CHECK(go_over(kWords, options).waves == std::vector<std::size_t>{24});
  options.prune = true;
  options.search.emplace();
  CHECK(go_over(kWords, options).waves.size() > 1);
}

// As the space counts them, the batch first: 0 1 2 3 with 16 sequences, 4 5 6 7 with 32.
TEST_CASE("layouts of the same passes follow each other, whatever the order of the space") {
  const auto space = read_space("global_batch=16,32; tensor=1,2; zero=none,optimizer", tree(), Catalogue::shared());
  REQUIRE(space.ok());
  const auto points = Points::make(*space, tree(), Catalogue::shared());
  REQUIRE(points.ok());
  std::map<std::int64_t, std::int64_t> by_kin;
  for (std::int64_t point = 0; point < 8; ++point) by_kin[points->kin(point)] = point;
  std::vector<std::int64_t> order;
  for (const auto& [kin, point] : by_kin) order.push_back(point);
  CHECK(order == std::vector<std::int64_t>{0, 1, 4, 5, 2, 3, 6, 7});
}

TEST_CASE("points that are asked for are taken alone, in the order they are said in") {
  Options options;
  options.search = Search{{9, 2, 5}, {}, {}};
  options.wave = 2;
  const Seen seen = go_over(kWords, options);
  REQUIRE(seen.rows.size() == 3);
  CHECK(seen.rows[0].point == 9);
  CHECK(seen.rows[1].point == 2);
  CHECK(seen.rows[2].point == 5);
  CHECK(seen.waves.size() == 2);
}

TEST_CASE("what contradicts is told without playing it: 3 does not divide 8 GPUs") {
  const Seen seen = go_over(kWords, {});
  std::size_t refused = 0;
  for (const Row& row : seen.rows)
    if (!row.why.empty()) {
      ++refused;
      CHECK(row.why.find("do not multiply to the GPUs") != std::string::npos);
      CHECK(row.point / 8 == 2);  // tensor 3
    }
  CHECK(refused == 8);
  CHECK(seen.groups == 24);
  // Batches: 16 sequences on 8 ranks are no micro-batches of 3.
  const Seen batches = go_over("tensor=1; micro_batch=1,2,3", {});
  CHECK(batches.rows[2].why.find("does not divide into micro-batches") != std::string::npos);
}

TEST_CASE("keys without effect are folded: how often to recompute, where nothing is recomputed") {
  const Seen seen = go_over("recompute=none,full; recompute_every=1,2", {});
  CHECK(seen.groups == 3);  // none once, full twice
  std::map<std::int64_t, Status> status;
  Options small;
  small.search.emplace();
  small.wave = 1;
  for (const Row& row : go_over("recompute=none,full; recompute_every=1,2", small).rows) status[row.point] = row.status;
  CHECK(status[1] == Status::duplicate);
}

TEST_CASE("while what stands for others is refused, the next of them is tried") {
  Options options;
  options.search.emplace();
  options.wave = 1;
  const auto first = [](std::int64_t point) { return point == 0; };
  const Seen seen = go_over("recompute=none; recompute_every=1,2", options, first);
  CHECK(seen.groups == 2);
  CHECK(seen.rows[1].status != Status::duplicate);
}

TEST_CASE("conditions on keys refuse before anything is played") {
  Options options;
  options.where.push_back(*Condition::parse("tensor != 2", "--where"));
  options.where.push_back(*Condition::parse("micro_batch <= 1", "--where"));
  options.where.push_back(*Condition::parse("mfu >= 0.9", "--where"));  // a figure: not known yet
  std::size_t by_tensor = 0, by_batch = 0;
  for (const Row& row : go_over(kWords, options).rows) {
    by_tensor += row.why == "not tensor != 2" ? 1 : 0;
    by_batch += row.why == "not micro_batch <= 1" ? 1 : 0;
    CHECK(row.why.find("mfu") == std::string::npos);
  }
  CHECK(by_tensor == 8);
  CHECK(by_batch == 8);  // of the 16 of tensor 1 and 4
}

TEST_CASE("a sample draws so many points, none twice, the same of one seed, others of another") {
  Options options;
  options.sample = 20;
  const auto points_of = [&](std::uint64_t seed) {
    options.seed = seed;
    std::vector<std::int64_t> points;
    for (const Row& row : go_over("micro_batch=1..100; tensor=1..50", options).rows) points.push_back(row.point);
    return points;
  };
  const auto one = points_of(1);
  CHECK(one.size() == 20);
  CHECK(std::set<std::int64_t>(one.begin(), one.end()).size() == 20);
  CHECK(std::is_sorted(one.begin(), one.end()));
  CHECK(points_of(1) == one);
  CHECK(points_of(2) != one);
  // As large as the space: all of it.
  options.sample = 5000;
  CHECK(points_of(1).size() == 5000);
}

TEST_CASE("shards are disjoint, make up the whole, and keep what folds together in one") {
  std::map<std::int64_t, int> shard_of;
  for (int i = 1; i <= 3; ++i) {
    Options options;
    options.shard = i;
    options.shards = 3;
    for (const Row& row : go_over(kWords + "; recompute_every=1,2", options).rows)
      CHECK(shard_of.emplace(row.point, i).second);
  }
  CHECK(shard_of.size() == 64);
  std::set<int> used;
  for (const auto& [point, shard] : shard_of) {
    used.insert(shard);
    if (point / 2 % 2 == 0 && point % 2 == 0 && point / 16 != 2)
      CHECK(shard == shard_of[point + 1]);  // nothing is recomputed, on degrees that divide
  }
  CHECK(used.size() == 3);
}

}  // namespace
}  // namespace orrery::sweep::waves_test
