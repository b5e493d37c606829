// Rank grid, partition, checks, state bytes.
#include <doctest/doctest.h>

#include <ctime>
#include <numeric>
#include <set>

#include "orrery/core/random.hpp"
#include "orrery/layout/rank_grid.hpp"
#include "stages.hpp"

namespace orrery::layout::layout_test {

using namespace orrery::layout::test;

TEST_CASE("Megatron's own example: 16 GPUs, tensor 2, pipeline 4, data 2") {
  // megatron/core/parallel_state.py, docstring of initialize_model_parallel.
  Layout layout;
  layout.tensor = 2, layout.pipeline = 4, layout.data = 2;
  const RankGrid grid(layout);
  const Coordinates zero;
  CHECK(grid.group(zero, Dimension::tensor) == std::vector{0, 1});
  CHECK(grid.group(zero, Dimension::data) == std::vector{0, 2});
  CHECK(grid.group(zero, Dimension::pipeline) == std::vector{0, 4, 8, 12});
  CHECK(grid.group(grid.coordinates(13), Dimension::data) == std::vector{13, 15});
  layout.order = "tp-cp-pp-dp";
  CHECK(RankGrid(layout).group(zero, Dimension::data) == std::vector{0, 8});
}

TEST_CASE("hybrid sharding cuts gradient groups into blocks that hold one copy each") {
  Layout layout;  // rank = tensor + 2 · context + 4 · data
  layout.tensor = 2, layout.context = 2, layout.data = 4, layout.zero = Zero::parameters, layout.shard_degree = 4;
  const RankGrid grid(layout);
  const Coordinates at = grid.coordinates(11);  // tensor 1, context 1, data 2
  CHECK(grid.gradient_group(at) == std::vector{1, 3, 5, 7, 9, 11, 13, 15});
  CHECK(grid.shard_group(at) == std::vector{9, 11, 13, 15});
  CHECK(grid.replica_group(at) == std::vector{3, 11});
  layout.zero = Zero::none, layout.shard_degree = 0;  // nothing is sharded: all hold the same
  CHECK(RankGrid(layout).shard_group(at) == std::vector{11});
  CHECK(RankGrid(layout).replica_group(at) == grid.gradient_group(at));
}

TEST_CASE("rank and coordinates are inverse in every order") {
  Layout layout;
  layout.tensor = 2, layout.context = 3, layout.pipeline = 2, layout.data = 5;
  std::vector<std::string> names{"cp", "dp", "pp", "tp"};
  do {
    layout.order = names[0] + '-' + names[1] + '-' + names[2] + '-' + names[3];
    const RankGrid grid(layout);
    std::set<int> seen;
    for (int rank = 0; rank < layout.ranks(); ++rank) {
      CHECK(grid.rank(grid.coordinates(rank)) == rank);
      CHECK(grid.gradient_group(grid.coordinates(rank)).size() == 15);
      seen.insert(grid.rank(grid.coordinates(rank)));
    }
    CHECK(seen.size() == 60);
  } while (std::next_permutation(names.begin(), names.end()));
}

namespace {
std::vector<std::int64_t> counts(const model::ModelSpec& m, const Layout& layout) {
  const auto spans = partition_layers(m, layout);
  REQUIRE(spans.ok());
  std::vector<std::int64_t> all;
  for (const StageSpan& span : *spans) all.push_back(span.layers);
  return all;
}
std::string path_of(const model::ModelSpec& m, const Layout& layout, std::int64_t sequence = 0) {
  const Diagnostics errors = check_layout(m, layout, sequence);
  return errors.empty() ? "" : errors.front().path;
}
}  // namespace

TEST_CASE("partitions") {
  Layout layout;
  layout.pipeline = 4;
  CHECK(counts(gpt(8, 64, 4, 256), layout) == std::vector<std::int64_t>{2, 2, 2, 2});
  layout.virtual_stages = 2;
  CHECK(counts(gpt(8, 64, 4, 256), layout) == std::vector<std::int64_t>(8, 1));
  layout.virtual_stages = 1, layout.partition = Partition::ends_count_as_layers;
  CHECK(counts(gpt(6, 64, 4, 256), layout) == std::vector<std::int64_t>{1, 2, 2, 1});
  layout.partition = Partition::explicit_layers, layout.layers_per_stage = {0, 3, 3, 1};
  CHECK(counts(gpt(7, 64, 4, 256), layout) == std::vector<std::int64_t>{0, 3, 3, 1});
  // A layer is 12·64² = 49152 parameters, the head 64·1536 twice that: 14 layers and 2 for the head make four stages
  // of 4.
  layout.partition = Partition::balanced;
  CHECK(counts(gpt(14, 64, 4, 1536), layout) == std::vector<std::int64_t>{4, 4, 4, 2});
  CHECK(counts(gpt(13, 64, 4, 1536), layout) == std::vector<std::int64_t>{3, 4, 4, 2});
}

// nanotron's rule on the models of its benchmark (vocabulary 131 072). 1B: a layer 67.1 M, the head 4 of them, in all
// 20: on 2, 4 and 8 stages 10, 5 and 2.5 each, so of 8 stages those before the head end with the layers 3, 5, 8, 10,
// 13, 15, 16. A stage that has its share has enough. 8B: the head is 2.21 layers, in all 34.2, on 8 stages 4.28 each:
// 5, 9, 13, 18, 22, 26, 30.
TEST_CASE("stages that end with the layer that reaches their share of the cost") {
  model::ModelSpec m;
  m.layers = 16, m.hidden = 2048, m.heads = m.kv_heads = 32, m.ffn_hidden = 8192, m.vocab = 131072;
  m.activation = model::Activation::swiglu;
  Layout layout;
  layout.partition = Partition::cost_shares;
  layout.pipeline = 2;
  CHECK(counts(m, layout) == std::vector<std::int64_t>{10, 6});
  layout.pipeline = 4;
  CHECK(counts(m, layout) == std::vector<std::int64_t>{5, 5, 5, 1});
  layout.pipeline = 8;
  CHECK(counts(m, layout) == std::vector<std::int64_t>{3, 2, 3, 2, 3, 2, 1, 0});
  m.layers = 32, m.hidden = 4096, m.ffn_hidden = 14336;
  CHECK(counts(m, layout) == std::vector<std::int64_t>{5, 4, 4, 5, 4, 4, 4, 2});
  layout.pipeline = 1;
  CHECK(counts(m, layout) == std::vector<std::int64_t>{32});
  m.layers = 1, layout.pipeline = 4;
  CHECK_FALSE(partition_layers(m, layout).ok());
}

TEST_CASE("a balanced partition is never costlier than any other split between the last stage and the rest") {
  Random random(20261121);
  for (int round = 0; round < 300; ++round) {
    Layout layout;
    layout.pipeline = static_cast<int>(random.between(2, 12)), layout.partition = Partition::balanced;
    const model::ModelSpec m = gpt(random.between(layout.pipeline, 60), 64, 4, random.between(1, 40) * 64);
    const std::int64_t layer = 12 * 64 * 64, head = 64 * m.vocab, stages = layout.pipeline;
    const auto held = counts(m, layout);
    CHECK(std::accumulate(held.begin(), held.end(), std::int64_t{0}) == m.layers);
    std::int64_t cost = held.back() * layer + head;
    for (std::size_t i = 0; i + 1 < held.size(); ++i) cost = std::max(cost, held[i] * layer);
    for (std::int64_t last = 0; last <= m.layers - (stages - 1); ++last)
      CHECK(cost <= std::max(ceil_div(m.layers - last, stages - 1) * layer, last * layer + head));
  }
}

TEST_CASE("layouts that cannot be are refused by path") {
  const model::ModelSpec m = gpt(8, 64, 4, 256);
  Layout layout;
  CHECK(path_of(m, layout).empty());
  layout.tensor = 3;
  CHECK(path_of(m, layout) == "layout.tensor");
  layout = {}, layout.pipeline = 3;
  CHECK(path_of(m, layout) == "layout.pipeline");
  layout = {}, layout.pipeline = 0;
  CHECK(path_of(m, layout) == "layout.pipeline");
  layout = {}, layout.pipeline = 2, layout.virtual_stages = 8;
  CHECK(path_of(m, layout) == "layout.virtual");
  layout = {}, layout.order = "tp-dp-pp";
  CHECK(path_of(m, layout) == "layout.order");
  layout.order = "tp-cp-dp-pp-";
  CHECK(path_of(m, layout) == "layout.order");
  layout.order = "tp-cp-ep-dp-pp";
  CHECK(path_of(m, layout).empty());
  layout = {}, layout.sequence_parallel = true;
  CHECK(path_of(m, layout) == "layout.sequence_parallel");
  layout.tensor = 2;
  CHECK(path_of(m, layout, 63) == "layout.sequence_parallel");
  layout = {}, layout.context = 4;
  CHECK(path_of(m, layout, 20) == "layout.context");
  layout = {}, layout.data = 4, layout.zero = Zero::parameters, layout.shard_degree = 3;
  CHECK(path_of(m, layout) == "layout.shard_degree");
  layout = {}, layout.data = 4, layout.shard_degree = 2;  // nothing is sharded
  CHECK(path_of(m, layout) == "layout.shard_degree");
  layout = {}, layout.partition = Partition::explicit_layers, layout.layers_per_stage = {7};
  CHECK(path_of(m, layout) == "layout.layers_per_stage");
  layout = {}, layout.tensor = 8;
  CHECK(path_of(llama(2, 256, 16, 4, 256, 1024), layout) == "layout.tensor");  // 4 key/value heads
  CHECK(padded_vocab(50257, 8) == 51200);
  CHECK(padded_vocab(50257, 1) == 50304);
}

TEST_CASE("state bytes as ZeRO divides them") {
  const std::int64_t n = 8'030'261'248;  // Llama-3.1-8B
  Layout layout;
  layout.data = 4, layout.context = 2;
  const auto total = [&](Zero zero, std::int64_t gradient_bytes) {
    layout.zero = zero;
    const StateBytes s =
        state_bytes(n, {.weight_bytes = 2, .gradient_bytes = gradient_bytes, .optimizer_bytes = 12}, layout);
    return s.weights.value + s.gradients.value + s.optimizer.value;
  };
  CHECK(total(Zero::none, 2) == 16 * n);
  CHECK(total(Zero::none, 4) == 18 * n);
  CHECK(total(Zero::optimizer, 2) == 44'166'436'864);  // n · (2 + 2 + 12/8)
  CHECK(total(Zero::gradients, 2) == n * 2 + n / 8 * 14);
  CHECK(total(Zero::parameters, 2) == n * 2);  // 16/8
  layout.shard_degree = 4;
  CHECK(total(Zero::parameters, 2) == n * 4);  // HSDP: over 4 of the 8 ranks
}

TEST_CASE("the parts of one group of 65536 ranks take as long as the group, not its square") {
  Layout layout;
  layout.data = 1 << 16;
  const std::clock_t begin = std::clock();
  const RankGrid grid(layout);
  std::int64_t sum = 0;
  for (int rank = 0; rank < layout.ranks(); ++rank) sum += grid.shard_group(grid.coordinates(rank)).front();
  layout.zero = Zero::parameters;
  const RankGrid sharded(layout);
  for (int rank = 0; rank < layout.ranks(); ++rank) sum -= sharded.replica_group(sharded.coordinates(rank)).front();
  CHECK(sum == 0);
  CHECK(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC < 2);  // a square took 30 s
}

// Of a layer of hidden 64 (4 · 64² + 8 · 64² = 49 152 matrix parameters) and a head of 64 · 768, as much as one layer:
// speeds 3 and 1 take 12 layers and the head in 13/4 layers of time each at best. Each layer in turn to the stage that
// is done first: 9 on the fast (9/3 = 3), 3 and the head on the slow would be 4; 10 (10/3) and 2 with the head (3).
TEST_CASE("partition balanced goes by the speeds of the stages") {
  const model::ModelSpec m = test::gpt(12, 64, 4, 768);
  Layout l;
  l.pipeline = 2, l.partition = Partition::balanced, l.speeds = {3, 1};
  const auto spans = partition_layers(m, l);
  REQUIRE(spans.ok());
  CHECK((*spans)[0].layers == 10);
  CHECK((*spans)[1].layers == 2);
  l.speeds = {1, 3};  // 3 and 9: 3 to (9 + 1)/3
  const auto turned = partition_layers(m, l);
  CHECK((*turned)[0].layers == 3);
  CHECK((*turned)[1].layers == 9);
  // Memory for 6 layers on the fast stage: the other six go to the slow one. With memory for 6 and 4 two are left over,
  // which go by speed: 7 and 8 thirds on the fast one are less than 5 and the head on the slow one.
  l.speeds = {3, 1};
  for (const auto& [most, fast] : {std::pair{std::vector<std::int64_t>{6, 20}, 6}, {{6, 4}, 8}, {{20, 20}, 10}}) {
    l.most_layers = most;
    const auto limited = partition_layers(m, l);
    REQUIRE(limited.ok());
    CHECK((*limited)[0].layers == fast);
    CHECK((*limited)[1].layers == 12 - fast);
  }
}

}  // namespace orrery::layout::layout_test
