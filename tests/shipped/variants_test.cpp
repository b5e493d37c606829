// A small step with each model, stack, schedule and cluster that comes with Orrery, a line each in variants.txt: what a
// change of an operator, a launch, a schedule or a collective changes, wherever it is used.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <sstream>

#include "golden.hpp"
#include "orrery/cost/stack.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"
#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::variants_test {

namespace {

// Names whose text would be the scenario's own if one of them were taken from it.
std::string line_of(const std::string& name, const std::string& text) {
  const auto scenario = read_scenario_text(text, name);
  if (!scenario.ok()) return fmt::format("{}: {}\n", name, scenario.errors().front().message);
  RunOptions options;
  options.what_if = false;
  const auto run = resolve_and_simulate(*scenario, options);
  if (!run.ok()) return fmt::format("{}: {}\n", name, run.errors().front().message);
  CHECK(run->books == std::vector<std::string>{});
  const auto fullest = std::max_element(run->memory.begin(), run->memory.end(),
                                        [](const auto& a, const auto& b) { return a.peak < b.peak; });
  const program::Footprint expected = footprint(*scenario, options);
  return fmt::format("{}: {} parameters {} ps {} FLOP {} run {} bytes {} reserved {:016x}; {:.6g} tasks {:.9g} bytes\n",
                     name, run->parameters, run->timeline.step_time.value, run->flops.model.total(),
                     run->flops.executed.total(), fullest->peak,
                     *std::max_element(run->reserved.begin(), run->reserved.end()), run->timeline_hash, expected.tasks,
                     expected.bytes);
}

// The first line that differs says enough.
std::string changes(const std::string& was, const std::string& is) {
  std::string text;
  std::istringstream before(was), after(is);
  std::string a, b;
  while (std::getline(after, b)) {
    if (!std::getline(before, a)) a = "nothing";
    if (a != b) text += fmt::format("  was {}\n  is  {}\n", a, b);
  }
  return text;
}

}  // namespace

TEST_CASE("each model, twice: whole on tensor ranks, and sharded with all of it computed again") {
  std::string text;
  for (const std::string& name : model::list_models()) {
    const auto m = model::load_model(name, Catalogue::shared());
    REQUIRE(m.ok());
    const std::string head =
        fmt::format("model: {{type: {}, layers: 4}}\ncluster: {{type: dgx-h100, nodes: 1}}\n", name);
    const bool experts = m->experts.count > 0;
    text += line_of(name + " tensor",
                    head +
                        fmt::format("layout: {{tensor: 2, data: 4, sequence_parallel: true, zero: optimizer{}}}\n",
                                    experts ? ", expert: 4" : "") +
                        "training: {sequence_length: 512, global_batch: 8}\nstack: megatron-2025\nnetwork: ideal\n");
    text += line_of(name + " sharded",
                    head + fmt::format("layout: {{data: 8, zero: parameters{}}}\n", experts ? ", expert: 2" : "") +
                        "training: {sequence_length: 512, global_batch: 16, micro_batch: 2, recompute: full}\nstack: "
                        "torchtitan-2025\nnetwork: steady\n");
  }
  testing::check_golden("tests/shipped/models.txt", text, changes);
}

TEST_CASE("each stack, schedule and cluster") {
  std::string text;
  const std::string model = "model: {type: gpt3-1.3b, layers: 8}\n",
                    training = "training: {sequence_length: 1024, global_batch: 16}\n";
  for (const std::string& name : cost::stack_names())
    for (const char* layout : {"{tensor: 2, pipeline: 2, data: 4, zero: optimizer}", "{data: 16, zero: parameters}"})
      text +=
          line_of(fmt::format("{} {}", name, layout), model + "cluster: {type: dgx-h100, nodes: 2}\nlayout: " + layout +
                                                          "\n" + training + "stack: " + name + "\nnetwork: steady\n");
  for (const schedule::ScheduleKind& kind : schedule::schedule_kinds())
    for (const int chunks : {1, 2})
      text += line_of(fmt::format("{} {}", kind.name, chunks),
                      model + "cluster: {type: dgx-h100, nodes: 1}\nlayout: {pipeline: 4, data: 2, virtual: " +
                          std::to_string(chunks) + "}\n" + training + "schedule: " + kind.name +
                          "\nstack: megatron-2024\nnetwork: steady\n");
  for (const std::string& name : hardware::cluster_names())
    text += line_of(name, model + "cluster: {type: " + name + ", nodes: 2}\nlayout: {tensor: 2}\n" + training +
                              "stack: megatron-2024\nnetwork: flows\n");
  testing::check_golden("tests/shipped/variants.txt", text, changes);
}

// Of 1 000 003 bytes, as chosen and by each algorithm and protocol that can serve them, on 16 GPUs: "ring/simple
// 57013000".
TEST_CASE("each collective on each cluster") {
  std::vector<hardware::DeviceId> group(16);
  std::iota(group.begin(), group.end(), 0);
  std::string text;
  for (const std::string& name : hardware::cluster_names()) {
    const auto spec = hardware::load_cluster(name);
    REQUIRE(spec.ok());
    hardware::ClusterSpec job = *spec;
    job.nodes = (15 + spec->gpus_per_node) / spec->gpus_per_node;
    job = hardware::allocated(std::move(job));
    const auto topology = hardware::build_topology(job, job.nodes);
    const auto tuning = network::tuning_for(*spec);
    REQUIRE(tuning.ok());
    if (!topology.ok()) {  // of one node
      text += fmt::format("{}: {}\n", name, topology.errors().front().message);
      continue;
    }
    for (const Collective kind : {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter,
                                  Collective::all_to_all, Collective::broadcast}) {
      text += fmt::format("{} {}:", name, name_of(kind));
      const auto add = [&](const std::string& algorithm, const std::string& protocol) {
        const network::CollectiveCall call{kind, Bytes{1'000'003}, group, algorithm, protocol};
        if (!network::unsupported(call, **topology, *tuning).empty()) return;
        const network::CollectivePlan plan = network::plan_collective(call, **topology, *tuning);
        text += fmt::format(" {}/{} {}", plan.algorithm, plan.protocol,
                            network::unshared_time(plan, (*topology)->links()).value);
      };
      add("", "");
      for (const std::string& algorithm : network::algorithm_names())
        for (const std::string& protocol : network::protocol_names()) add(algorithm, protocol);
      text += "\n";
    }
  }
  testing::check_golden("tests/shipped/collectives.txt", text, changes);
}

}  // namespace orrery::scenario::variants_test
