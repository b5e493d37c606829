// What would make a layout fit: each change does, and a run with it is what was promised.
#include "sweep/remedies.hpp"

#include <doctest/doctest.h>

#include <set>

#include "orrery/scenario/simulate.hpp"
#include "scenario/parts.hpp"

namespace orrery::sweep::remedies_test {
namespace {

YamlTree tree(const std::string& layout, const std::string& training) {
  return *read_yaml_text(
      "model: {type: gpt3-6.7b, layers: 16}\ncluster: {type: selene-a100-40gb, nodes: 2}\nlayout: {" + layout +
          "}\ntraining: {sequence_length: 2048, global_batch: 32, precision: bf16, " + training +
          "}\nnetwork: ideal\nstack: megatron-2024\n",
      "test.yaml");
}

std::vector<Remedy> remedies(const YamlTree& scenario) {
  const auto s = scenario::read_parts(scenario, Catalogue::shared());
  REQUIRE_MESSAGE(s.ok(), (s.ok() ? "" : render(s.errors())));
  return remedies_of(*s, Catalogue::shared(), {});
}

// The scenario with a remedy as `orrery run --set` plays it.
report::RunResult run_with(YamlTree scenario, const Remedy& remedy) {
  for (const std::string& set : remedy.sets) REQUIRE(scenario.set(set).empty());
  const auto run = scenario::read_run(scenario, Catalogue::shared());
  REQUIRE_MESSAGE(run.ok(), (run.ok() ? "" : render(run.errors())));
  const auto result = scenario::simulate(*run);
  REQUIRE(result.ok());
  return *result;
}

// The keys that the remedies change.
std::set<std::string> keys_of(const std::vector<Remedy>& all) {
  std::set<std::string> keys;
  for (const Remedy& r : all)
    for (const std::string& set : r.sets) keys.insert(set.substr(0, set.find('=')));
  return keys;
}

void check_each(const YamlTree& scenario, const std::vector<Remedy>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(all[i].sets.front());
    const report::RunResult run = run_with(scenario, all[i]);
    CHECK(run.timeline.step_time.value == all[i].figures.step_time_ps);
    CHECK(report::metrics_of(run).fits());
    std::set<std::string> keys;  // none is set twice
    for (const std::string& set : all[i].sets) CHECK(keys.insert(set.substr(0, set.find('='))).second);
    if (i > 0) CHECK(all[i].figures.tokens_per_s_per_gpu <= all[i - 1].figures.tokens_per_s_per_gpu);
  }
}

// 16 bytes for each of 69 B parameters are 138 GB on each of 8 GPUs, however they are sharded.
TEST_CASE("states that no layout of so many GPUs holds go to the hosts") {
  const YamlTree scenario = *read_yaml_text(
      "model: llama2-70b\ncluster: {type: dgx-a100, nodes: 1, gpus: 8}\nlayout: {data: 8, zero: parameters}\ntraining: "
      "{sequence_length: 4096, global_batch: 8, recompute: full}\nnetwork: ideal\nstack: megatron-2024\n",
      "test.yaml");
  const std::vector<Remedy> all = remedies(scenario);
  CHECK(keys_of(all).contains("training.offload.optimizer"));
  check_each(scenario, all);
}

TEST_CASE("where activations are too much, recomputation, smaller micro-batches or larger degrees help") {
  // 8 sequences at once in each of 16 replicas of a fourth of the model.
  const YamlTree scenario = tree("tensor: 4, pipeline: 1, data: 4, zero: optimizer", "micro_batch: 8");
  const std::vector<Remedy> all = remedies(scenario);
  REQUIRE(all.size() > 1);
  check_each(scenario, all);
  const std::set<std::string> keys = keys_of(all);
  CHECK(keys.contains("training.micro_batch"));
  CHECK(keys.contains("training.recompute"));
}

TEST_CASE("where states are too much, sharding them or cutting the model helps, recomputation alone does not") {
  // 3.4 B parameters of 18 bytes are 61 GB on a GPU of 40.
  const YamlTree scenario = tree("data: 16", "micro_batch: 1, recompute: full");
  const std::vector<Remedy> all = remedies(scenario);
  REQUIRE(all.size() > 1);
  check_each(scenario, all);
  const std::set<std::string> keys = keys_of(all);
  CHECK(keys.contains("layout.zero"));
  CHECK(keys.contains("layout.tensor"));
  CHECK_FALSE(keys.contains("training.recompute"));
  // Of each kind of change there is one.
  std::size_t sharded = 0;
  for (const Remedy& r : all) sharded += r.sets.size() == 1 && r.sets[0].starts_with("layout.zero=") ? 1 : 0;
  CHECK(sharded == 1);
}

TEST_CASE("a degree takes its ranks from the replicas") {
  const YamlTree scenario = tree("data: 16", "micro_batch: 1, recompute: full");
  for (const Remedy& r : remedies(scenario)) {
    int product = 1;
    for (const std::string& set : r.sets)
      for (const char* key : {"layout.tensor=", "layout.pipeline=", "layout.data="})
        if (set.starts_with(key)) product *= std::stoi(set.substr(set.find('=') + 1));
    if (r.sets.front().starts_with("layout.tensor") || r.sets.front().starts_with("layout.pipeline"))
      CHECK(product == 16);
    if (r.sets.front().starts_with("cluster.nodes")) CHECK(r.figures.gpus > 16);
  }
}

// 29 layers lack 0.5 GiB on 16 replicas, of which each holds 12/16 bytes of optimizer states a parameter: 12/32 on 32.
TEST_CASE("where states are shared, twice the nodes are tried before more") {
  YamlTree scenario = tree("data: 16, zero: optimizer", "micro_batch: 1, recompute: full");
  REQUIRE(scenario.set("model.layers=29").empty());
  const std::vector<Remedy> all = remedies(scenario);
  CHECK(std::ranges::any_of(all, [](const Remedy& r) { return r.sets.front() == "cluster.nodes=4"; }));
  check_each(scenario, all);
}

TEST_CASE("where no single change is enough, two are tried") {
  // Neither activations nor states alone: 8 sequences of 16 layers, and 61 GB of states.
  const YamlTree scenario = tree("data: 4, pipeline: 4", "micro_batch: 8");
  YamlTree large = scenario;
  REQUIRE(large.set("model.layers=32").empty());
  const std::vector<Remedy> all = remedies(large);
  REQUIRE_FALSE(all.empty());
  check_each(large, all);
}

TEST_CASE("what nothing helps has no remedy") {
  YamlTree scenario = tree("data: 16", "micro_batch: 1");
  REQUIRE(scenario.set("model={type: gpt3-175b}").empty());
  CHECK(remedies(scenario).empty());
}

}  // namespace
}  // namespace orrery::sweep::remedies_test
