// Ways of simulating that must not change the result, in any field of the JSON, over scenarios drawn at random.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "drawn.hpp"
#include "orrery/core/random.hpp"
#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::same_result_test {

using nlohmann::json;

namespace {

// All that is said of a run but how it was simulated, the devices by rank. Coordinates in the groups are those of the
// first rank that a device stands for.
json result_of(const report::RunResult& run) {
  json all = json::parse(report::to_json(run));
  for (const char* key : {"simulation", "evaluated_by", "notes"}) all.erase(key);
  json by_rank = json::object();
  for (json device : all["devices"]) {
    const json ranks = device["ranks"];
    device.erase("ranks");
    for (const char* key : {"tensor_rank", "context_rank", "data_rank"}) device.erase(key);
    for (const json& rank : ranks) by_rank[rank.dump()] = device;
  }
  all["devices"] = by_rank;
  for (json& fault : all["faults"]) {
    json late = json::object();
    for (json device : fault["late"]) {
      const json ranks = device["ranks"];
      device.erase("ranks");
      for (const json& rank : ranks) late[rank.dump()] = device;
    }
    fault["late"] = late;
  }
  return all;
}

json simulated(const Scenario& scenario, const RunOptions& options, const std::string& text) {
  const auto run = resolve_and_simulate(scenario, options);
  REQUIRE_MESSAGE(run.ok(), render(run.errors()) << text);
  CHECK_MESSAGE(run->books.empty(), run->books.front());
  return result_of(*run);
}

// The first few places where they differ.
std::string differences(const json& a, const json& b) {
  std::string text;
  const json patch = json::diff(a, b);
  for (std::size_t i = 0; i < patch.size() && i < 8; ++i) {
    const json::json_pointer at(patch[i]["path"].get<std::string>());
    text += fmt::format("  {}: {} -> {}\n", at.to_string(), a.contains(at) ? a[at].dump() : "none",
                        b.contains(at) ? b[at].dump() : "none");
  }
  return text;
}

struct Way {
  const char* name;
  RunOptions options;
};
const Way kWays[] = {{"every rank", {.every_rank = true}},
                     {"unfused", {.fuse = false}},
                     {"events", {.force_events = true}},
                     {"every rank, unfused, events", {.every_rank = true, .fuse = false, .force_events = true}}};

void check_every_way(const Scenario& scenario, const std::string& text) {
  const json base = simulated(scenario, {}, text);
  for (const Way& way : kWays) {
    const json other = simulated(scenario, way.options, text);
    if (other != base) FAIL_CHECK(std::string(way.name) << ":\n" << differences(base, other) << text);
  }
}

}  // namespace

TEST_CASE("every rank, unfused and events say what folded, fused and one pass say") {
  const int draws = testing::draws();  // of 17 stacks and 18 schedules
  std::map<std::string, std::map<std::string, int>> counts;
  for (int i = 0; i < draws; ++i) {
    const testing::Drawn drawn = testing::draw_scenario(20261128, i);
    for (const auto& [what, choice] : drawn.choices) ++counts[what][choice];
    check_every_way(drawn.scenario, drawn.text);
  }
  std::string table;
  for (const auto& [what, choices] : counts) {
    table += "\n  " + what + ":";
    for (const auto& [choice, count] : choices) {
      table += fmt::format(" {} {}", choice, count);
      if (draws >= 400) CHECK(count >= 10);
    }
  }
  MESSAGE(draws << " scenarios drawn" << table);
}

TEST_CASE("the same holds of what is slow or down for a part of the step") {
  const int draws = testing::draws(204);
  for (int i = 0; i < draws; ++i) {
    testing::Drawn drawn = testing::draw_scenario(20261201, i);
    const auto plain = resolve_and_simulate(drawn.scenario, {.what_if = false});
    REQUIRE(plain.ok());
    Random random(static_cast<std::uint64_t>(i));
    const auto part = [&] {  // of the step, or a little beyond it
      return static_cast<std::int64_t>(
          random.below(static_cast<std::uint64_t>(plain->timeline.step_time.value) * 9 / 8));
    };
    const std::size_t before = drawn.scenario.cluster.perturb.size(), count = 1 + random.below(3);
    for (std::size_t n = 0; n < count; ++n) {
      hardware::Perturbation p;
      const auto topology = hardware::build_topology(drawn.scenario.cluster, drawn.scenario.cluster.nodes);
      REQUIRE(topology.ok());
      const std::uint64_t kind = random.below(3);
      const int gpu = static_cast<int>(random.below(static_cast<std::uint64_t>(drawn.scenario.gpus())));
      if (kind == 0)
        p.link = (*topology)->link_name(static_cast<hardware::LinkId>(random.below((*topology)->links().size())));
      else if (kind == 1)
        p.device = gpu;
      else
        p.node = gpu / drawn.scenario.cluster.gpus_per_node;
      p.down = random.below(3) == 0;
      (kind > 0 && random.below(2) == 0 ? p.compute_factor : p.bandwidth_factor) = p.down ? 1 : 0.3;
      p.from = {part()};
      if (p.down || random.below(2) == 0) p.until = p.from + Time{1 + part() / 2};
      drawn.scenario.cluster.perturb.push_back(p);
    }
    CHECK(drawn.scenario.cluster.perturb.size() == before + count);
    check_every_way(drawn.scenario, drawn.text + json::parse(to_json(drawn.scenario))["perturb"].dump());
  }
}

// Found by longer runs. A slow GPU whose groups take as long as others that would be faster alone; links of which none
// costs more than the others.
TEST_CASE("what links cost does not depend on which ranks stand for others") {
  for (const std::string text :
       {"model: {type: llama3.1-8b, layers: 2, hidden: 256, heads: 8, kv_heads: 4, ffn_hidden: 768, vocab: 1024}\n"
        "cluster: {type: jean-zay-a100, nodes: 4, gpus_per_node: 4, gpus: 16, scale_out: {nics_per_node: 2}}\n"
        "perturb: [{device: 15, bandwidth_factor: 0.4}]\n"
        "layout: {tensor: 4, context: 2, pipeline: 2, zero: gradients, order: dp-tp-cp-pp}\n"
        "training: {sequence_length: 512, global_batch: 8, micro_batch: 2, recompute: full, overlap_tensor: false, "
        "overlap_context: "
        "true, compiled: true}\nstack: {type: nanotron, communication: {messages: blocking, tensor_slowdown_percent: "
        "107, "
        "context_slowdown_percent: 107, scatter_gather_messages: true, embedding_reduce: false}}\n"
        "network: {mode: steady, algorithm: pat, protocol: simple}\n",
        "model: {type: gpt3-125m, layers: 12, hidden: 256, heads: 8, ffn_hidden: 768, vocab: 1024}\n"
        "cluster: {type: jean-zay-a100, nodes: 3, gpus_per_node: 8, gpus: 24, scale_out: {nics_per_node: 4}}\n"
        "perturb: [{device: 8, compute_factor: 0.7}]\n"
        "layout: {context: 2, pipeline: 3, data: 4, virtual: 2, zero: parameters}\n"
        "training: {sequence_length: 512, global_batch: 48, micro_batch: 2}\nstack: ibm-fsdp\n"
        "schedule: dualpipev\nnetwork: steady\n"}) {
    const auto scenario = read_scenario_text(text, "found.yaml");
    REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
    check_every_way(*scenario, text);
  }
}

// Experts are folded apart from the rest, and have groups, shards and lanes of their own.
TEST_CASE("the same holds with experts, however they are sharded") {
  for (const char* stack : {"megatron-2025", "torchtitan-2025", "deepspeed-zero"})
    for (const char* layout :
         {"data: 16, expert: 4, zero: parameters", "data: 16, expert: 2, zero: parameters, shard_degree: 8",
          "data: 8, pipeline: 2, expert: 4, zero: optimizer",
          "tensor: 2, sequence_parallel: true, data: 8, expert: 8, expert_tensor: 1, zero: gradients",
          "tensor: 2, sequence_parallel: true, data: 4, pipeline: 2, expert: 2, expert_tensor: 2, zero: parameters, "
          "shard_degree: 2",
          "tensor: 2, sequence_parallel: true, context: 2, data: 4, expert: 8, expert_tensor: 1, zero: optimizer"}) {
      const std::string text = fmt::format(
          "model: {{type: mixtral-8x7b, layers: 4, hidden: 512, heads: 8, kv_heads: 4, vocab: 1024}}\n"
          "cluster: {{type: dgx-h100, nodes: 2, gpus: 16}}\ntraining: {{sequence_length: 512, global_batch: 64}}\n"
          "stack: {}\nnetwork: steady\nlayout: {{{}}}\n",
          stack, layout);
      const auto scenario = read_scenario_text(text, "experts.yaml");
      REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
      check_every_way(*scenario, text);
    }
}

}  // namespace orrery::scenario::same_result_test
