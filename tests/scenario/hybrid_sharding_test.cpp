// Hybrid sharding (HSDP): shards within a group of ranks, gradients of the shards summed over the groups.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"
#include "orrery/scenario/simulate.hpp"
#include "simulated.hpp"

namespace orrery::scenario::hybrid_sharding_test {

namespace {

// 16 GPUs on two nodes; at layout `data: 16` a shard_degree of 8 keeps the shards within a node.
std::string text_of(const std::string& layout, const std::string& training = "", int batch = 16,
                    const char* mode = "ideal") {
  return fmt::format(
      "model: gpt3-1.3b\ncluster: {{type: selene, nodes: 2}}\nlayout: {{{}}}\ntraining: {{sequence_length: 1024, "
      "global_batch: {}{}}}\nnetwork: {}\n",
      layout, batch, training, mode);
}

// Tasks of the name in which the rank takes part, in order of their start.
std::vector<program::TaskId> tasks_of(const report::RunResult& run, std::string_view name, std::int32_t rank = 0) {
  std::vector<program::TaskId> found;
  for (program::TaskId t = 0; t < run.program.tasks(); ++t) {
    if (run.program.template_of(t).name != name) continue;
    for (std::uint32_t i = run.program.participant_begin[t]; i < run.program.participant_begin[t + 1]; ++i) {
      const auto& ranks = run.program.devices[run.program.participants[i].device].ranks;
      if (std::find(ranks.begin(), ranks.end(), rank) != ranks.end()) found.push_back(t);
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [&](auto a, auto b) { return run.timeline.start[a] < run.timeline.start[b]; });
  return found;
}

// What the network room says of a call of these ranks alone.
Time alone(Collective kind, std::int64_t bytes, const std::vector<hardware::DeviceId>& ranks) {
  const auto scenario = read_scenario_text(text_of("data: 16"), "test.yaml");
  const auto topology = hardware::build_topology(scenario->cluster, 2);
  const auto tuning = network::tuning_for(scenario->cluster);
  return network::unshared_time(network::plan_collective({kind, {bytes}, ranks, {}, {}}, **topology, *tuning),
                                (*topology)->links());
}

std::vector<hardware::DeviceId> ranks_from(int first, int count, int stride) {
  std::vector<hardware::DeviceId> ranks;
  for (int i = 0; i < count; ++i) ranks.push_back(first + i * stride);
  return ranks;
}

std::int64_t held(const report::RunResult& run, program::MemoryClass of) {
  return run.program.devices[0].resident[static_cast<std::size_t>(of)];
}

}  // namespace

TEST_CASE("sharded in a node: gradients are scattered there, their shards summed between nodes, one behind the other") {
  const report::RunResult run =
      simulated(text_of("data: 16, zero: optimizer, shard_degree: 8", ", overlap_data: false, gradient_bytes: 4"));
  const std::int64_t parameters = run.stages[0].parameters;
  REQUIRE(parameters % 8 == 0);
  const auto scatter = tasks_of(run, "reduce gradients"), sum = tasks_of(run, "reduce gradients of replicas"),
             gather = tasks_of(run, "gather parameters");
  REQUIRE((scatter.size() == 1 && sum.size() == 1 && gather.size() == 1));
  const auto took = [&](program::TaskId t) { return Time{run.timeline.end[t] - run.timeline.start[t]}; };
  // Ranks 0-7 are one node and hold one copy of the shards; ranks 0 and 8 hold the same shard.
  CHECK(took(scatter[0]) == alone(Collective::reduce_scatter, parameters * 4, ranks_from(0, 8, 1)));
  CHECK(took(sum[0]) == alone(Collective::all_reduce, parameters / 8 * 4, ranks_from(0, 2, 8)));
  CHECK(took(gather[0]) == alone(Collective::all_gather, parameters * 2, ranks_from(0, 8, 1)));
  CHECK(run.timeline.start[sum[0]] == run.timeline.end[scatter[0]]);
  CHECK(run.timeline.makespan.value == run.timeline.end[gather[0]]);
  // 2 bytes of weights and 4 of gradients whole, 12 bytes of optimizer in eight shards.
  CHECK(held(run, program::MemoryClass::weights) == parameters * 2);
  CHECK(held(run, program::MemoryClass::gradients) == parameters * 4);
  CHECK(held(run, program::MemoryClass::optimizer) == parameters / 8 * 12);
}

TEST_CASE("the ranks of a shard are neighbours in the gradient group, context ranks first") {
  // tp-cp-dp-pp with tensor 2, context 2: rank = t + 2c + 4d. The gradient group of rank 0 is 0 2 4 6 8 10 12 14; four
  // of them hold one copy of the shards (0 2 4 6), and rank 8 holds what rank 0 does.
  const report::RunResult run = simulated(
      text_of("tensor: 2, context: 2, data: 4, zero: gradients, shard_degree: 4", ", overlap_data: false", 4));
  const std::int64_t parameters = run.stages[0].parameters;
  const auto took = [&](std::string_view name) {
    const auto tasks = tasks_of(run, name);
    REQUIRE(tasks.size() == 1);
    return Time{run.timeline.end[tasks[0]] - run.timeline.start[tasks[0]]};
  };
  CHECK(took("reduce gradients") == alone(Collective::reduce_scatter, parameters * 4, ranks_from(0, 4, 2)));
  CHECK(took("reduce gradients of replicas") ==
        alone(Collective::all_reduce, (parameters + 3) / 4 * 4, ranks_from(0, 2, 8)));
}

TEST_CASE("fully sharded: replicas sum a layer's gradient beside the scatter of the next") {
  const report::RunResult run =
      simulated(text_of("data: 16, zero: parameters, shard_degree: 8", ", overlap_data: true"));
  const auto scatter = tasks_of(run, "reduce gradients"), sum = tasks_of(run, "reduce gradients of replicas");
  const std::int64_t layers = 24;
  REQUIRE(scatter.size() == static_cast<std::size_t>(layers + 2));  // head, layers, embedding
  REQUIRE(sum.size() == scatter.size());
  std::int64_t free = 0;
  bool beside = false;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    CHECK(run.timeline.start[sum[i]] == std::max(free, run.timeline.end[scatter[i]]));
    free = run.timeline.end[sum[i]];
    beside = beside || (i + 1 < sum.size() && run.timeline.start[scatter[i + 1]] < free);
  }
  CHECK(beside);
  // 12 h² + 13 h parameters of a GPT layer: each call is of a node, or of the two ranks that hold the same eighth.
  const std::int64_t h = 2048, layer = 12 * h * h + 13 * h;
  const auto took = [&](program::TaskId t) { return Time{run.timeline.end[t] - run.timeline.start[t]}; };
  CHECK(took(scatter[1]) == alone(Collective::reduce_scatter, layer * 4, ranks_from(0, 8, 1)));
  CHECK(took(sum[1]) == alone(Collective::all_reduce, layer / 8 * 4, ranks_from(0, 2, 8)));
  const auto gather = tasks_of(run, "gather parameters");
  CHECK(took(gather[1]) == alone(Collective::all_gather, layer * 2, ranks_from(0, 8, 1)));
  const std::int64_t parameters = run.stages[0].parameters;
  CHECK(held(run, program::MemoryClass::weights) == (parameters + 7) / 8 * 2);
  CHECK(held(run, program::MemoryClass::gradients) == (parameters + 7) / 8 * 4);
}

TEST_CASE("shards over all ranks are plain FSDP, shards of one rank are plain data parallel") {
  for (const char* zero : {"optimizer", "gradients", "parameters"})
    for (const char* overlap : {"false", "true"})
      for (const char* mode : {"ideal", "steady"}) {
        CAPTURE(zero + std::string(" ") + overlap + " " + mode);
        const auto of = [&](const std::string& layout) {
          return simulated(text_of("tensor: 2, " + layout, fmt::format(", overlap_data: {}", overlap), 16, mode));
        };
        const auto all = of(fmt::format("zero: {}, shard_degree: 8", zero)), plain = of(fmt::format("zero: {}", zero));
        CHECK(all.timeline_hash == plain.timeline_hash);
        CHECK(all.memory[0].peak == plain.memory[0].peak);
        const auto one = of(fmt::format("zero: {}, shard_degree: 1", zero)), none = of("zero: none");
        CHECK(one.timeline_hash == none.timeline_hash);
        CHECK(one.memory[0].peak == none.memory[0].peak);
      }
}

TEST_CASE("hybrid sharding is the same folded and with every rank, fused or not, in one pass or by events") {
  for (const char* layout : {"data: 16, zero: parameters, shard_degree: 4",
                             "tensor: 2, data: 4, pipeline: 2, zero: optimizer, shard_degree: 2",
                             "context: 2, data: 8, zero: gradients, shard_degree: 4"})
    for (const char* overlap : {"false", "true"}) {
      CAPTURE(layout + std::string(" ") + overlap);
      const std::string text = text_of(layout, fmt::format(", overlap_data: {}", overlap), 32);
      const report::RunResult folded = simulated(text);
      for (const bool fuse : {false, true})
        for (const bool events : {false, true}) {
          const report::RunResult other = simulated(text, {true, fuse, events});
          CHECK(other.timeline_hash == folded.timeline_hash);
          CHECK(other.memory[0].peak == folded.memory[0].peak);
          CHECK(other.split[0] == folded.split[0]);
        }
    }
}

TEST_CASE("between slow nodes hybrid sharding is faster than sharding over all, and takes more memory") {
  const auto of = [](int shard) {
    return simulated(
        text_of(fmt::format("data: 16, zero: parameters, shard_degree: {}", shard), ", overlap_data: true", 64) +
        "stack: torchtitan-2025\n");
  };
  const auto all = of(16), hybrid = of(8);
  CHECK(hybrid.timeline.makespan < all.timeline.makespan);
  CHECK(hybrid.memory[0].peak > all.memory[0].peak);
}

}  // namespace orrery::scenario::hybrid_sharding_test
