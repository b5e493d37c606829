// Stages and replicas on pools of unlike nodes.
#include <fmt/format.h>

#include <algorithm>

#include "orrery/scenario/sensitivity.hpp"
#include "two_stages.hpp"

namespace orrery::scenario::pools_test {
namespace {

std::string text_of(const std::string& cluster, const std::string& more = "", const char* batch = "8") {
  return fmt::format(
      "model: {{type: llama3.1-8b, layers: 8}}\ncluster: {}\nlayout: {{tensor: 8, pipeline: 2, sequence_parallel: "
      "true}}\ntraining: {{sequence_length: 4096, global_batch: {}}}\nstack: megatron-2024\nnetwork: ideal\n{}",
      cluster, batch, more);
}

const std::string kPools = "{pools: [{name: new, type: dgx-h100, nodes: 1}, {name: old, type: selene, nodes: 1}]}";

std::string refusal(const std::string& text) {
  const auto scenario = read_scenario_text(text, "test.yaml");
  if (!scenario.ok()) return render(scenario.errors());
  const auto run = resolve_and_simulate(*scenario);
  return run.ok() ? std::string() : render(run.errors());
}

}  // namespace

TEST_CASE("a stage on a pool takes what it takes on a cluster of its nodes") {
  const report::RunResult mixed = simulated(text_of(kPools)), fast = simulated(text_of("{type: dgx-h100, nodes: 2}")),
                          slow = simulated(text_of("{type: selene, nodes: 2}"));
  REQUIRE(mixed.stages.size() == 2);
  CHECK(mixed.stages[0].forward == fast.stages[0].forward);
  CHECK(mixed.stages[0].backward == fast.stages[0].backward);
  CHECK(mixed.stages[1].forward == slow.stages[1].forward);
  CHECK(mixed.stages[1].backward == slow.stages[1].backward);
  CHECK(mixed.stages[1].forward > fast.stages[1].forward);
  CHECK(mixed.timeline.step_time > fast.timeline.step_time);
  CHECK(mixed.timeline.step_time < slow.timeline.step_time);
  REQUIRE(mixed.pools.size() == 2);
  CHECK(mixed.pools[0].ranks == 8);
  CHECK(mixed.pools[0].stages == std::vector<int>{0});
  CHECK(mixed.pools[1].gpu == "a100-sxm-80gb");
  CHECK(mixed.pools[0].bubble_fraction > mixed.pools[1].bubble_fraction);
}

// 1F1B of two micro-batches on two ranks: a + c + 2 (b + B) + c + A from the first start to the last end (TwoStages).
TEST_CASE("a pipeline over two pools, worked by hand") {
  const report::RunResult run = simulated(text_of(kPools, "", "2"));
  CHECK(run.schedule_bubbles.makespan == TwoStages(run).first_is_done(2));
}

TEST_CASE("pools give the same however they are played") {
  for (const char* more :
       {"", "placement: {type: pools, stages: [old, new]}\n", "variation: {gpus: 0.01, count: 2}\n"}) {
    const std::string text = text_of(kPools, more);
    const report::RunResult run = simulated(text);
    const report::RunResult every = simulated(text, {.every_rank = true}), unfused = simulated(text, {.fuse = false});
    CHECK(every.timeline.makespan == run.timeline.makespan);
    CHECK(unfused.timeline.makespan == run.timeline.makespan);
    CHECK(every.flops.executed.total() == run.flops.executed.total());
  }
}

// The blocks of causal attention are of 128 rows on an H100 and of 64 in the backward pass on an A100, so the same
// stage runs other FLOPs there; every kind is counted for the ranks that have it.
TEST_CASE("FLOPs are counted by the kernels of each pool") {
  const auto executed = [](const std::string& text) { return simulated(text).flops.executed.attention; };
  const WideFlops fast = executed(text_of("{type: dgx-h100, nodes: 2}")),
                  slow = executed(text_of("{type: selene, nodes: 2}"));
  REQUIRE(fast != slow);
  CHECK(2 * executed(text_of(kPools)) == fast + slow);
}

TEST_CASE("each pool has its own memory") {
  const std::string text =
      text_of("{pools: [{name: new, type: dgx-h100}, {name: old, type: selene, gpu: a100-sxm-40gb}]}", "", "8");
  const report::RunResult run = simulated(text);
  REQUIRE(run.program.devices.size() == 2);
  CHECK(run.program.devices[0].lacks == 0);
  const auto gpus = read_scenario_text(text, "test.yaml");
  const hardware::Gpu &large = gpus->pools[0].gpu, &small = gpus->pools[1].gpu;
  CHECK(run.program.devices[1].lacks ==
        (large.usable_memory - large.context_memory - small.usable_memory + small.context_memory).value);
  CHECK(report::metrics_of(run).worst_device == 1);
  CHECK(report::metrics_of(run).headroom == run.pools[1].headroom);
  CHECK(run.pools[1].headroom < run.pools[0].headroom);
}

TEST_CASE("layers are balanced by the speed of their pool") {
  const report::RunResult even = simulated(text_of(kPools));
  std::string text = text_of(kPools);
  text.replace(text.find("sequence_parallel"), 0, "partition: balanced, ");
  const report::RunResult by_speed = simulated(text);
  CHECK(by_speed.stages[0].span.layers > by_speed.stages[1].span.layers);
  CHECK(by_speed.timeline.step_time < even.timeline.step_time);
}

// Two pools of A100, the second with half of the memory: by speed 160 layers would be 80 and 80, of which the second
// has memory for fewer. The first stage keeps two micro-batches where the second keeps one.
TEST_CASE("layers go where there is memory for them") {
  const auto scenario = [](const char* gpu) {
    std::string text =
        text_of(fmt::format("{{pools: [{{name: a, type: selene}}, {{name: b, type: selene, gpu: {}}}]}}", gpu));
    text.replace(text.find("layers: 8"), 9, "layers: 160");
    text.replace(text.find("sequence_parallel"), 0, "partition: balanced, ");
    const auto read = read_scenario_text(text, "test.yaml");
    REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : render(read.errors())));
    return *read;
  };
  const auto layers = [](const Scenario& s) {
    const auto spans = layout::partition_layers(s.model, s.layout);
    return std::pair{(*spans)[0].layers, (*spans)[1].layers};
  };
  const Scenario alike = scenario("a100-sxm-80gb"), less = scenario("a100-sxm-40gb");
  REQUIRE(alike.layout.most_layers.size() == 2);
  CHECK(layers(alike).first >= 80);
  CHECK(alike.layout.most_layers[0] < alike.layout.most_layers[1]);
  CHECK(less.layout.most_layers[0] == alike.layout.most_layers[0]);
  CHECK(2 * less.layout.most_layers[1] < alike.layout.most_layers[1]);
  CHECK(layers(less) == std::pair{160 - less.layout.most_layers[1], less.layout.most_layers[1]});
}

// 8 even layers: 4 and the head on the second stage. On the A100 they would be the slowest stage, so the H100 take
// them.
TEST_CASE("auto puts whole stages on pools, the slowest stage as fast as can be") {
  const auto placed = [](const std::string& text) {
    const auto scenario = read_scenario_text(text, "test.yaml");
    REQUIRE_MESSAGE(scenario.ok(), (scenario.ok() ? "" : render(scenario.errors())));
    return scenario->placement;
  };
  const std::string turned = "{pools: [{name: old, type: selene, nodes: 1}, {name: new, type: dgx-h100, nodes: 1}]}";
  for (const std::string& cluster : {kPools, turned}) {
    CHECK(placed(text_of(cluster, "placement: auto\n")).stages == std::vector<std::string>{"old", "new"});
    CHECK(simulated(text_of(cluster, "placement: auto\n")).timeline.makespan ==
          simulated(text_of(cluster, "placement: {type: pools, stages: [old, new]}\n")).timeline.makespan);
  }
  // One stage of 16 GPUs goes into neither pool, two replicas of 8 do, the fastest first.
  std::string replicas = text_of(turned, "placement: auto\n");
  replicas.replace(replicas.find("pipeline: 2"), 11, "pipeline: 1");
  CHECK(placed(replicas).replicas == std::vector<std::string>{"new", "old"});
  CHECK(placed(replicas).stages.empty());
}

// What goes from pool to pool has the slower constants of both, not those of the pool that is listed first.
TEST_CASE("which pool is listed first changes nothing") {
  const std::string turned = "{pools: [{name: old, type: selene, nodes: 1}, {name: new, type: dgx-h100, nodes: 1}]}",
                    stages = "placement: {type: pools, stages: [new, old]}\n";
  CHECK(simulated(text_of(turned, stages)).timeline.makespan == simulated(text_of(kPools, stages)).timeline.makespan);
}

TEST_CASE("a tenth more of a resource is more of every pool's") {
  const auto scenario = read_scenario_text(text_of(kPools), "test.yaml");
  REQUIRE(scenario.ok());
  const auto grown = [&](std::string_view key) {
    Scenario s = *scenario;
    for (const Resource& resource : resources())
      if (resource.key == key) resource.grow(s);
    return s;
  };
  for (const std::size_t p : {0, 1}) {
    const hardware::Gpu& gpu = scenario->pools[p].gpu;
    const hardware::ClusterSpec& pool = scenario->cluster.of_pools[p];
    CHECK(grown("gpu_flops").pools[p].gpu.peak(DType::bf16).value == gpu.peak(DType::bf16).value * 11 / 10);
    CHECK(grown("memory_bandwidth").pools[p].gpu.memory_bandwidth.value == gpu.memory_bandwidth.value * 11 / 10);
    CHECK(grown("node_bandwidth").cluster.of_pools[p].scale_up.bandwidth.value ==
          pool.scale_up.bandwidth.value * 11 / 10);
    CHECK(grown("network_bandwidth").cluster.of_pools[p].scale_out.nic_bandwidth.value ==
          pool.scale_out.nic_bandwidth.value * 11 / 10);
    CHECK(grown("latency").cluster.of_pools[p].scale_up.latency < pool.scale_up.latency);
  }
}

TEST_CASE("each pool is among the sources of a run") {
  const report::RunResult run = simulated(text_of(kPools));
  for (const char* what : {"cluster dgx-h100", "cluster selene", "GPU h100-sxm-80gb", "GPU a100-sxm-80gb"}) {
    CAPTURE(what);
    CHECK(std::ranges::any_of(run.sources, [&](const auto& source) { return source.first == what; }));
  }
  std::vector<std::pair<std::string, std::string>> once = run.sources;
  std::ranges::sort(once);
  CHECK(std::ranges::adjacent_find(once) == once.end());
}

// NVLink SHARP is of Hopper's switches: what is named is taken where there is one, by the order of pools or not.
TEST_CASE("an algorithm that one pool has is taken there, and one that none has is refused") {
  const std::string turned = "{pools: [{name: old, type: selene, nodes: 1}, {name: new, type: dgx-h100, nodes: 1}]}",
                    both_old = "{pools: [{name: a, type: selene, nodes: 1}, {name: b, type: selene, nodes: 1}]}";
  const auto named = [](const std::string& cluster) {
    std::string text = text_of(cluster);
    text.replace(text.find("network: ideal"), 14, "network: {mode: ideal, algorithm: nvls}");
    return text;
  };
  for (const std::string& cluster : {kPools, turned}) CHECK(refusal(named(cluster)).empty());
  CHECK(refusal(named(both_old)).find("network.algorithm: ") != std::string::npos);
  const auto in_switch = [](const std::string& cluster) {
    const auto scenario = read_scenario_text(text_of(cluster), "test.yaml");
    REQUIRE(scenario.ok());
    return network::facts_of(scenario->cluster).in_switch_reduction;
  };
  for (const std::string& cluster : {kPools, turned, both_old}) CHECK(!in_switch(cluster));
  CHECK(in_switch("{pools: [{name: a, type: dgx-h100, nodes: 1}, {name: b, type: dgx-h100, nodes: 1}]}"));
}

TEST_CASE("a dispatcher must run on the GPUs of each pool") {
  const auto experts = [](const char* first, const char* second) {
    return fmt::format(
        "model: {{type: mixtral-8x7b, layers: 4}}\ncluster: {{pools: [{{name: a, type: {}, nodes: 1}}, {{name: b, "
        "type: "
        "{}, nodes: 1}}]}}\nlayout: {{pipeline: 2, data: 8, expert: 8}}\ntraining: {{sequence_length: 1024, "
        "global_batch: 16}}\nstack: {{type: megatron-2025-moe, experts: {{dispatcher: deepep}}}}\nnetwork: ideal\n",
        first, second);
  };
  CHECK(refusal(experts("dgx-h100", "selene")).empty());
  for (const std::string& text : {experts("dgx-h100", "hgx-mi300x"), experts("hgx-mi300x", "dgx-h100")})
    CHECK(refusal(text).find("DeepEP is for NVIDIA's GPUs of Ampere and later, not for mi300x") != std::string::npos);
}

TEST_CASE("what is wrong with pools is said with its remedy") {
  const auto pools = [](const std::string& list) { return refusal(text_of("{pools: [" + list + "]}")); };
  const auto says = [](const std::string& text, const char* part) {
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  };
  says(pools("{type: dgx-h100}, {type: dgx-h100}"), "cluster.pools[1].name: two pools are called 'dgx-h100'");
  says(pools("{type: dgx-h100}, {type: gb200-nvl72}"), "nodes of 4 GPUs beside nodes of 8");
  says(pools("{type: dgx-h100}, {name: b}"), "cluster.pools[1].type: is missing");
  says(pools("{type: dgx-h10}, {type: selene}"), "cluster.pools[0].type: unknown cluster 'dgx-h10'");
  says(pools("{type: dgx-h100, gpu: h100-sxm}, {type: selene}"), "cluster.pools[0].gpu: unknown GPU 'h100-sxm'");
  says(pools("{type: dgx-h100}, {type: dgx-1-v100}"), "v100-sxm-16gb has no bf16 arithmetic");
  says(pools("{type: dgx-h100}, {type: selene, nodes: 2}"), "must multiply to the 24 GPUs of the run");
  says(refusal(text_of("{nodes: 3, pools: [{type: dgx-h100}, {type: selene}]}")),
       "the figures of a cluster of pools are those of the pools");
  const auto placed = [](const char* how) { return refusal(text_of(kPools, std::string("placement: ") + how + "\n")); };
  says(placed("{type: pools}"), "type pools needs one of stages and replicas");
  says(placed("{type: pools, stages: [new]}"), "1 pools for 2 pipeline ranks");
  says(placed("{type: pools, stages: [new, new]}"), "pool new has 8 GPUs, fewer than the ranks that are put there");
  says(placed("{type: pools, stages: [new, odl]}"), "did you mean 'old'?");
  says(placed("{stages: [new, old]}"), "is for type pools only");
  says(refusal(text_of("{type: dgx-h100, nodes: 2}", "placement: {type: pools, stages: [a, b]}\n")),
       "the cluster has no pools");
  says(refusal(text_of("{type: dgx-h100, nodes: 2}", "placement: auto\n")),
       "placement.type: auto is of pools, and the cluster has none");
  std::string wide = text_of(kPools, "placement: auto\n");
  wide.replace(wide.find("tensor: 8, pipeline: 2"), 22, "tensor: 16, pipeline: 1");
  wide.replace(wide.find("llama3.1-8b"), 11, "llama2-7b");  // which has more than 8 heads of keys and values
  says(refusal(wide), "neither 1 stages of 16 GPUs nor 1 replicas of 16 go into the pools whole");
  says(placed("{type: auto, stages: [new, old]}"), "is for type pools only");
  says(pools("{name: a+b, type: dgx-h100}, {type: selene}"), "cluster.pools[0].name: 'a+b' has a +");
  std::string offloaded = text_of(kPools);
  offloaded.replace(offloaded.find("global_batch"), 0, "offload: {optimizer: 1}, ");
  says(refusal(offloaded), "cluster.host.memory: hosts of pools are not described");
  says(refusal(offloaded), "leave training.offload out, or run on a cluster of one kind of node");
}

}  // namespace orrery::scenario::pools_test
