// training.offload through the door: two GPUs of a node by hand, what it refuses, what it leaves as it was.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "../simulated.hpp"
#include "orrery/program/offload_book.hpp"

namespace orrery::scenario::offload_test {

namespace {

using program::Category;
using program::MemoryClass;

// 10 GB/s up from a switch that both GPUs share, 100 GB/s of memory, copies without latency. Collectives are behind
// the passes.
std::string two_gpus(const std::string& offload, const std::string& more = {}) {
  return fmt::format(
      "model: {{type: gpt3-125m, layers: 2}}\n"
      "cluster: {{gpu: a100-sxm-80gb, nodes: 1, gpus_per_node: 2, scale_up: {{kind: switch, bandwidth: 300 GB/s, "
      "latency: 1 us}}, pcie_bandwidth: 10 GB/s, host: {{memory: 1 GB, usable_share: 1, memory_bandwidth: 100 GB/s, "
      "memory_efficiency: 1, copy_efficiency: 1, copy_latency: 0 s, gpus_per_uplink: 2}}}}\n"
      "layout: {{data: 2, zero: optimizer}}\n"
      "training: {{sequence_length: 512, global_batch: 4, overlap_data: false{}}}\n"
      "stack: megatron-2024\nnetwork: steady\n{}",
      offload.empty() ? "" : ", offload: " + offload, more);
}

std::int64_t sum_of(const report::RunResult& run, const char* name, bool bytes, program::DeviceIndex device = 0) {
  std::int64_t sum = 0;
  for (program::TaskId t = 0; t < run.program.tasks(); ++t) {
    const auto& first = run.program.participant(t);
    if (run.program.template_of(t).name != std::string_view(name) || first.device != device) continue;
    sum += bytes ? run.program.template_of(t).bytes_sent.value : run.timeline.end[t] - run.timeline.start[t];
  }
  return sum;
}
std::int64_t resident(const report::RunResult& run, MemoryClass of) {
  return run.program.devices[0].resident[static_cast<std::size_t>(of)];
}

}  // namespace

// P parameters on each of the two, P/2 of them updated by each. All of it on the host, behind the norm: gradients of
// 4 bytes at half of 10 GB/s; the update of 4 + 2 · 12 + 2 = 30 bytes a parameter at half of 100 GB/s in two parts (two
// layers); the weights of the first part come back, 2 bytes each, beside the second part, and those of the second
// behind it: with u = P/2 parameters at 5 GB/s, 4 u/5 + 30 u/50 + u/5 ns.
TEST_CASE("two GPUs by hand: the optimizer on the host") {
  const report::RunResult kept = simulated(two_gpus("")), away = simulated(two_gpus("{optimizer: 1}"));
  const std::int64_t parameters = 50'304 * 768 + 2048 * 768 + 2 * (12 * 768 * 768 + 13 * 768) + 2 * 768;
  REQUIRE(kept.stages[0].parameters == parameters);
  const std::int64_t u = parameters / 2;
  CHECK(sum_of(away, "offload gradients", true) == 4 * u);
  CHECK(sum_of(away, "fetch updated weights", true) == 2 * u);
  CHECK(sum_of(away, "offload gradients", false) == 4 * u * 200);      // ps at 5 GB/s
  CHECK(sum_of(away, "optimizer on the host", false) == 30 * u * 20);  // at 50 GB/s
  CHECK(sum_of(away, "fetch updated weights", false) == 2 * u * 200);
  const std::int64_t on_host = 800 * u + 600 * u + 200 * (2 * (u - u / 2));
  CHECK(away.timeline.step_time.value == kept.timeline.step_time.value - sum_of(kept, "optimizer", false) + on_host);
  CHECK(sum_of(away, "optimizer", false) < on_host);  // of the GPU: it looks at the gradients alone
  // Both places. Whole gradients stay on the GPU, their shard is on the host beside the states.
  CHECK(resident(kept, MemoryClass::optimizer) == 12 * u);
  CHECK(resident(away, MemoryClass::optimizer) == 0);
  CHECK(kept.memory[0].peak - away.memory[0].peak == 12 * u);
  REQUIRE(away.hosts);
  CHECK(away.hosts->fullest.bytes == 2 * (12 + 4) * u);
  CHECK(away.hosts->usable == Bytes{1'000'000'000});
  CHECK(report::metrics_of(away).fits());
  CHECK(!kept.hosts);
}

// Half of it: each part is half as long, and the GPU updates the other half beside the host.
TEST_CASE("a share of the optimizer") {
  const report::RunResult kept = simulated(two_gpus("")), half = simulated(two_gpus("{optimizer: 0.5}"));
  const std::int64_t u = kept.stages[0].parameters / 2, h = (u + 1) / 2;
  CHECK(sum_of(half, "offload gradients", true) == 4 * h);
  CHECK(resident(half, MemoryClass::optimizer) == 12 * (u - h));
  CHECK(half.hosts->fullest.bytes == 2 * 16 * h);
  CHECK(sum_of(half, "optimizer on the host", false) == 30 * h * 20);
  CHECK(sum_of(half, "optimizer", false) < sum_of(kept, "optimizer", false));
}

// A PCIe switch for each GPU: twice as fast. In one that copies at half of the link, as slow.
TEST_CASE("what the GPUs share of the way") {
  const auto sent = [](const std::string& more) {
    return sum_of(simulated(two_gpus("{optimizer: 1}", more)), "offload gradients", false);
  };
  std::string apart = two_gpus("{optimizer: 1}");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = apart;
    text.replace(text.find(from), from.size(), to);
    return sum_of(simulated(text), "offload gradients", false);
  };
  const std::int64_t shared = sent("");
  CHECK(2 * with("gpus_per_uplink: 2", "gpus_per_uplink: 1") == shared);
  CHECK(with("copy_efficiency: 1", "copy_efficiency: 0.5") == 2 * shared);
  CHECK(2 * with("copy_latency: 0 s, gpus_per_uplink: 2", "copy_latency: 0 s, link: c2c") == shared);
  CHECK(with("copy_latency: 0 s", "copy_latency: 7 us") == shared + 7'000'000);
  CHECK(2 * sent("placement: packed\n") == 2 * shared);
}

TEST_CASE("activations and weights: what leaves comes back, and the peak falls by it") {
  for (const char* mode : {"ideal", "steady", "flows"}) {
    const auto played = [&](const std::string& offload, const RunOptions& options = {}) {
      std::string text = two_gpus(offload);
      text.replace(text.find("network: steady"), 15, fmt::format("network: {}", mode));
      text.replace(text.find("layers: 2"), 9, "layers: 6");
      return simulated(text, options);
    };
    const report::RunResult kept = played(""), away = played("{activations: 1}"), half = played("{activations: 0.5}");
    const std::int64_t out = sum_of(away, "offload activations", true);
    CHECK(out == sum_of(away, "fetch activations", true));
    CHECK(2 * sum_of(half, "offload activations", true) < out + out / 10);
    CHECK(2 * sum_of(half, "offload activations", true) > out - out / 10);
    CHECK(away.memory[0].peak < kept.memory[0].peak);
    CHECK(half.memory[0].peak <= kept.memory[0].peak);
    CHECK(away.timeline.step_time > kept.timeline.step_time);
    // Two micro-batches, one after the other: the host holds one.
    CHECK(away.hosts->fullest.held[static_cast<std::size_t>(MemoryClass::activations)] == 2 * (out / 2));
    const report::RunResult all = played("{optimizer: 1, weights: 1, activations: 1}");
    CHECK(resident(all, MemoryClass::weights) == 0);
    const std::int64_t weights = resident(kept, MemoryClass::weights);
    CHECK(all.program.devices[0].on_host[static_cast<std::size_t>(MemoryClass::weights)] == weights);
    // Each of two micro-batches takes each layer's twice, and the table once more for the head.
    CHECK(sum_of(all, "fetch weights", true) >= 4 * weights);
    CHECK(sum_of(all, "fetch updated weights", true) == 0);
    for (const RunOptions& other : {RunOptions{.fuse = false}, RunOptions{.every_rank = true}}) {
      const report::RunResult same = played("{optimizer: 1, weights: 1, activations: 1}", other);
      CHECK(same.timeline.step_time == all.timeline.step_time);
      CHECK(same.memory[0].peak == all.memory[0].peak);
      CHECK(same.hosts->fullest.bytes == all.hosts->fullest.bytes);
    }
  }
}

TEST_CASE("weights that are spread over the ranks come back as shards") {
  const auto fetched = [](const char* zero) {
    std::string text = two_gpus("{optimizer: 1, weights: 1}");
    text.replace(text.find("zero: optimizer"), 15, fmt::format("zero: {}", zero));
    return sum_of(simulated(text), "fetch weights", true);
  };
  CHECK(fetched("optimizer") == fetched("gradients"));
  CHECK(fetched("optimizer") == 2 * fetched("parameters"));  // even numbers of parameters in every layer
}

TEST_CASE("sharded and pipelined: the books hold") {
  for (const char* layout : {"{data: 8, zero: gradients}", "{data: 8, zero: parameters}", "{pipeline: 4, data: 2}",
                             "{tensor: 2, pipeline: 2, data: 2, zero: optimizer, virtual: 2}"})
    for (const char* schedule : {"", "schedule: zb_h1\n"}) {
      if (*schedule && std::string(layout).find("virtual") != std::string::npos) continue;
      for (const char* stack : {"megatron-2024", "llm-foundry"}) {
        const report::RunResult run = simulated(fmt::format(
            "model: {{type: gpt3-125m, layers: 8}}\ncluster: dgx-a100\nlayout: {}\ntraining: {{sequence_length: 512, "
            "global_batch: 32, offload: {{optimizer: 1, weights: 0.5, activations: 0.5}}}}\n{}stack: {}\n",
            layout, schedule, stack));
        CHECK(run.hosts->fullest.bytes > 0);
        CHECK(run.split[0][static_cast<std::size_t>(Category::cpu_optimizer)] > 0);
      }
    }
}

// Layers that are run again together stand twice in a backward pass, and their gradients leave once.
TEST_CASE("gradients of layers that are run again together: the books hold") {
  for (const char* layout : {"{tensor: 4, pipeline: 2}", "{data: 8, zero: gradients}", "{data: 8, zero: parameters}"})
    for (const char* method : {"uniform", "block"})
      simulated(
          fmt::format("model: {{type: gpt3-125m, layers: 8}}\ncluster: {{type: dgx-a100, nodes: 1}}\nlayout: {}\n"
                      "training: {{sequence_length: 512, global_batch: 32, recompute: full, recompute_method: {}, "
                      "recompute_num_layers: 3, offload: {{optimizer: 1}}}}\nstack: llm-foundry\n",
                      layout, method));
}

TEST_CASE("the book finds a copy of too few bytes, and one that is no state") {
  const auto scenario = read_scenario_text(two_gpus("{optimizer: 1, activations: 1}"), "test.yaml");
  REQUIRE(scenario.ok());
  const auto run = resolve(*scenario, Catalogue::shared());
  REQUIRE(run.ok());
  auto step = program::lower_step(run->input());
  REQUIRE(step.ok());
  CHECK(program::audit_offload(step->program, step->moved).empty());
  for (program::TaskTemplate& t : step->program.templates) {
    if (t.category != Category::offload_comm) continue;
    const program::TaskTemplate right = t;
    t.bytes_sent = t.bytes_sent - Bytes{t.bytes_sent.value / 2};
    CHECK_MESSAGE(!program::audit_offload(step->program, step->moved).empty(), std::string(t.name));
    t = right;
    t.name = "copy";
    CHECK(program::audit_offload(step->program, step->moved).back().find("is no state that moves") !=
          std::string::npos);
    t = right;
  }
  CHECK(program::audit_offload(step->program, {}).size() > 1);
}

TEST_CASE("what the host does not hold does not fit") {
  std::string text = two_gpus("{optimizer: 1}");
  text.replace(text.find("memory: 1 GB"), 12, "memory: 0.5 GB");
  const report::RunResult run = simulated(text);
  CHECK(!report::metrics_of(run).fits());
  const std::string report = report::to_text(run, {.width = 400});
  CHECK(report.find("the memory of the hosts is too small") != std::string::npos);
  CHECK(report.find("on the hosts:") != std::string::npos);
}

namespace {
std::string errors_of(const std::string& text) {
  const auto scenario = read_scenario_text(text, "test.yaml");
  return scenario.ok() ? "" : render(scenario.errors());
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("what cannot be kept on the hosts is refused with its remedy") {
  const std::string lone = errors_of(two_gpus("{weights: 1}"));
  CHECK(has(lone, "test.yaml:4:"));
  CHECK(has(lone, "training.offload.weights: needs optimizer: 1 beside it"));
  CHECK(has(errors_of(two_gpus("{optimizer: 1.5}")), "training.offload.optimizer"));
  CHECK(has(errors_of(two_gpus("{optimiser: 1}")), "allowed are optimizer, weights, activations"));
  const std::string unknown = errors_of(
      "model: gpt3-125m\ncluster: vtrain-a100\ntraining: {sequence_length: 512, global_batch: 8, offload: {optimizer: "
      "1}}\nstack: megatron-2024\n");
  CHECK(has(unknown, "cluster.host.memory: nothing is said of the memory of a node"));
  CHECK(has(unknown, "cluster: {host: {memory: 2 TB, memory_bandwidth: 410 GB/s, cores: 128}}"));
  const std::string cut =
      errors_of(two_gpus("{optimizer: 1}", "perturb: [{link: node0.pcie0--node0.cpu, down: true}]\n"));
  CHECK(has(cut, "no way between rank 0 (node0.gpu0) and the memory of its host: what joins them is down"));
}

TEST_CASE("a scenario filled in by a program meets the same rules") {
  auto scenario = read_scenario_text(two_gpus("{optimizer: 1}"), "test.yaml");
  REQUIRE(scenario.ok());
  const auto refused_with = [&](const layout::Offload& offload, const char* part) {
    scenario->training.offload = offload;
    const auto run = resolve(*scenario, Catalogue::shared());
    REQUIRE(!run.ok());
    CHECK(has(render(run.errors()), part));
  };
  refused_with({.optimizer = 0.5, .weights = 1}, "training.offload.weights: needs optimizer: 1 beside it");
  refused_with({.optimizer = 1, .activations = 2}, "training.offload.activations: ");
}

TEST_CASE("without a way to the host the error stands where what is down is named") {
  const auto scenario = read_scenario_text(
      "model: gpt3-125m\ncluster: dgx-a100\nlayout: {data: 8, zero: optimizer}\ntraining: {sequence_length: 512, "
      "global_batch: 8, offload: {optimizer: 1}}\nstack: megatron-2024\n"
      "perturb: [{link: node0.pcie1--node0.cpu, down: true}]\n",
      "test.yaml");
  REQUIRE(!scenario.ok());
  CHECK(render(scenario.errors()).find("test.yaml:6:1: perturb: no way between rank 2") == 0);
}

// The link to the host of one pair of GPUs at half: those ranks are played apart.
TEST_CASE("a slow way to the host splits the ranks") {
  const auto run = simulated(
      "model: gpt3-125m\ncluster: dgx-a100\nlayout: {data: 8, zero: optimizer}\ntraining: {sequence_length: 512, "
      "global_batch: 8, offload: {optimizer: 1}}\nstack: megatron-2024\nnetwork: steady\nperturb: [{link: "
      "node0.pcie1--node0.cpu, bandwidth_factor: 0.5}]\n");
  REQUIRE(run.program.devices.size() == 2);
  CHECK(run.program.devices[1].ranks == std::vector<std::int32_t>{2, 3});
  CHECK(100 * sum_of(run, "offload gradients", false, 1) > 199 * sum_of(run, "offload gradients", false, 0));
}

}  // namespace orrery::scenario::offload_test
