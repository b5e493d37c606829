// Every key of a scenario is a dimension: its values are read, played or refused with a reason, and give what run
// gives.
#include "sweep/keys.hpp"

#include <doctest/doctest.h>

#include <set>

#include "orrery/scenario/simulate.hpp"
#include "orrery/sweep/sweep.hpp"
#include "sweep/values.hpp"

namespace orrery::sweep::keys_test {
namespace {

constexpr const char* kScenario =
    "model: gpt2\n"
    "cluster: {type: selene, nodes: 1}\n"
    "layout: {tensor: 2, pipeline: 2, data: 2}\n"
    "training: {sequence_length: 1024, global_batch: 16, micro_batch: 1, precision: bf16}\n"
    "network: ideal\n"
    "stack: megatron-2024\n";

YamlTree tree(const std::string& text = kScenario) {
  return *read_yaml_text(text, "test.yaml");
}

// A value of the key: what it has, what it may have, or what its kind looks like.
std::string value_for(const Key& key, const scenario::Scenario& s) {
  const Field& f = key.field();
  const std::optional<FieldValue> now = load(key, s);
  switch (f.type) {
    case FieldType::integer:
      return std::to_string(std::max(f.min, now ? std::get<std::int64_t>(*now) : std::int64_t{1}));
    case FieldType::boolean:
      return "true";
    case FieldType::choice:
      return f.allowed.front();
    case FieldType::number:
      return "0.5";
    case FieldType::bytes:
      return "64 MiB";
    case FieldType::time:
      return "1 us";
    case FieldType::bandwidth:
      return "100 GB/s";
    case FieldType::rate:
      return "100 TFLOP/s";
    default:
      break;
  }
  return f.allowed.empty() ? "" : f.allowed.front();
}

TEST_CASE("every key of the field tables is a dimension, by its whole path") {
  const auto scenario = scenario::read_scenario_text(kScenario, "test.yaml");
  REQUIRE(scenario.ok());
  const YamlTree base = tree();
  std::size_t played = 0, refused = 0, without = 0;
  for (const Key& key : all_keys()) {
    CAPTURE(key.path);
    const Result<Key> found = find_key(key.path, "test");
    REQUIRE(found.ok());
    CHECK(found->path == key.path);
    const std::string value = value_for(key, *scenario);
    if (value.empty() || key.field().list) {
      ++without;  // texts and lists of whatever the user has
      continue;
    }
    const auto space = read_space(key.path + "=" + value, base, Catalogue::shared());
    if (!space.ok()) {  // a contradiction with what the scenario says: told with its place
      ++refused;
      CHECK_FALSE(space.errors().front().message.empty());
      continue;
    }
    REQUIRE(space->dimensions.size() == 1);
    CHECK(space->dimensions[0].key == key.path);
    std::vector<Row> rows;
    Options options;
    options.row = [&](const Row& row) { rows.push_back(row); };
    const auto outcome = sweep(base, *space, Catalogue::shared(), options);
    REQUIRE_MESSAGE(outcome.ok(), (outcome.ok() ? "" : render(outcome.errors())));
    REQUIRE(rows.size() == 1);
    YamlTree changed = base;
    for (const std::string& set : assignments(rows[0], *space, base, Catalogue::shared()))
      REQUIRE(changed.set(set).empty());
    const auto run =
        scenario::read_run(changed, Catalogue::shared(), {.automatic = scenario::NetworkModeChoice::steady});
    CHECK(run.ok() == (rows[0].status != Status::refused));
    if (!run.ok() || rows[0].status == Status::refused) {
      CHECK_FALSE(rows[0].why.empty());
      ++refused;
      continue;
    }
    scenario::RunOptions quick;
    quick.what_if = false;
    const auto result = scenario::simulate(*run, quick);
    REQUIRE(result.ok());
    CHECK(result->timeline.step_time.value == rows[0].figures.step_time_ps);
    ++played;
  }
  MESSAGE(all_keys().size() << " keys: " << played << " played, " << refused << " refused, " << without
                            << " texts and lists");
  CHECK(played > 100);
  CHECK(played > 3 * refused);
}

TEST_CASE("a key beside a text is set, whatever the text stands for") {
  for (const char* set : {"network.algorithm=ring", "network.mode=steady", "stack.launch.per_step=1 ms",
                          "cluster.nodes=2", "model.layers=24", "schedule.group=4"}) {
    CAPTURE(set);
    YamlTree changed = tree(std::string(kScenario) + "schedule: 1f1b\n");
    REQUIRE(changed.set("cluster=selene").empty());  // a text
    REQUIRE(changed.set("layout={tensor: 2, pipeline: 2}").empty());
    REQUIRE(changed.set(set).empty());
    const auto run = scenario::read_run(changed, Catalogue::shared());
    CHECK_MESSAGE(run.ok(), (run.ok() ? "" : render(run.errors())));
    if (run.ok() && std::string_view(set).starts_with("network.algorithm"))
      CHECK(run->scenario().network.mode == scenario::NetworkModeChoice::ideal);  // the text holds
  }
}

TEST_CASE("keys of all sections are there, each once") {
  std::set<std::string> paths, sections;
  for (const Key& key : all_keys()) {
    CHECK(paths.insert(key.path).second);
    sections.insert(key.path.substr(0, key.path.find('.')));
  }
  CHECK(sections == std::set<std::string>{"model", "cluster", "layout", "training", "schedule", "stack", "network",
                                          "placement", "variation", "reliability"});
  for (const char* path :
       {"layout.tensor", "training.micro_batch", "cluster.nodes", "cluster.scale_out.nic_bandwidth", "model.type",
        "model.layers", "stack.type", "stack.communication.bucket", "schedule.type", "network.mode", "placement.type"})
    CHECK_MESSAGE(paths.contains(path), path);
}

TEST_CASE("a short name is the last part of a path where that is unique, a section its text") {
  const auto path_of = [](const char* name) {
    const Result<Key> key = find_key(name, "test");
    REQUIRE(key.ok());
    return key->path;
  };
  CHECK(path_of("tensor") == "layout.tensor");
  CHECK(path_of("micro_batch") == "training.micro_batch");
  CHECK(path_of("nodes") == "cluster.nodes");
  CHECK(path_of("gpu") == "cluster.gpu");
  CHECK(path_of("nic_bandwidth") == "cluster.scale_out.nic_bandwidth");
  CHECK(path_of("schedule") == "schedule.type");
  CHECK(path_of("model") == "model.type");
  CHECK(path_of("stack") == "stack.type");
  CHECK(path_of("network") == "network.mode");
  CHECK(path_of("cluster") == "cluster.type");
}

TEST_CASE("a name that is no key, or the end of several, is refused where it was said") {
  for (const char* name : {"tensr", "type"}) {
    const Result<Key> found = find_key(name, "--space");
    REQUIRE(!found.ok());
    CHECK(found.errors().front().place.file == "--space");
    CHECK(found.errors().front().path == name);
  }
}

TEST_CASE("what is stored in a scenario is what is loaded, for every direct key") {
  auto scenario = scenario::read_scenario_text(kScenario, "test.yaml");
  REQUIRE(scenario.ok());
  std::size_t tried = 0;
  for (const Key& key : all_keys()) {
    if (!key.direct() || key.field().list) continue;
    const std::string text = value_for(key, *scenario);
    if (text.empty()) continue;
    CAPTURE(key.path);
    const Result<FieldValue> value = value_of(key, text);
    if (!value.ok()) continue;
    scenario::Scenario s = *scenario;
    store(key, *value, s);
    const auto loaded = load(key, s);
    REQUIRE(loaded);
    CHECK((*loaded == *value));
    ++tried;
  }
  CHECK(tried > 80);
}

TEST_CASE("a section sweep takes every kind of key: degrees, bandwidths, GPUs, models, lengths, stacks") {
  const std::string section =
      "sweep:\n"
      "  nodes: 1..2\n"
      "  cluster.scale_out.nic_bandwidth: [100 Gb/s, 200 Gb/s]\n"
      "  cluster.gpu: [a100-sxm-80gb, a100-sxm-40gb]\n"
      "  model: [gpt2, gpt2-medium]\n"
      "  sequence_length: [512, 1024]\n"
      "  stack.communication.bucket: [0 B, 40 MB]\n"
      "  sequence_parallel: all\n";
  const YamlTree scenario = tree(kScenario + section);
  const auto space = read_space(scenario, Catalogue::shared());
  REQUIRE_MESSAGE(space.ok(), (space.ok() ? "" : render(space.errors())));
  CHECK(space->points() == 128);
  const auto outcome = sweep(scenario, *space, Catalogue::shared(), {});
  REQUIRE(outcome.ok());
  CHECK(outcome->counts.space == 128);
  CHECK(outcome->counts.refused == 0);
  CHECK(outcome->counts.evaluated + outcome->counts.duplicate + outcome->counts.pruned == 128);
  REQUIRE(outcome->best.size() > 1);
  for (const Row& row : outcome->best) CHECK(row.figures.cost_usd > 0);  // both GPUs have a price
}

}  // namespace
}  // namespace orrery::sweep::keys_test
