// Every value of every scenario that comes with Orrery, replaced by what people type by mistake: accepted, or refused
// with a place and words; and a misspelt key is always refused with the right one.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "orrery/scenario/run.hpp"
#include "paths.hpp"
#include "schema_keys.hpp"

namespace orrery::mutation_test {

namespace fs = std::filesystem;

namespace {

struct Key {
  std::string path;
  YamlMark mark;
};

void collect(const YamlTree& tree, NodeId node, const std::string& path, std::vector<Key>& keys) {
  for (std::size_t i = 0; i < tree[node].entries.size(); ++i) {
    const YamlEntry& e = tree[node].entries[i];
    const std::string step = tree[node].kind == NodeKind::map ? e.key : std::to_string(i);
    const std::string child = path.empty() ? step : path + "." + step;
    keys.push_back({child, e.mark});
    collect(tree, e.value, child, keys);
  }
}

std::vector<fs::path> scenario_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(orrery::testing::source_dir() + "/scenarios"))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void check_words(const Diagnostics& errors, const std::string& what) {
  INFO(what);
  REQUIRE_FALSE(errors.empty());
  for (const Diagnostic& d : errors) {
    CHECK_FALSE(d.message.empty());
    CHECK_FALSE(d.place.file.empty());
  }
}

// A scenario under which every key of the schema can be set.
const char* const kAny =
    "model: gpt3-125m\n"
    "cluster: {gpu: a100-sxm-80gb, nodes: 1, gpus_per_node: 2, graph: {switches: [s], cables: [{from: node0.gpu0, to: "
    "s, "
    "bandwidth: 100 GB/s}, {from: node0.gpu1, to: s, bandwidth: 100 GB/s}]}}\n"
    "layout: {data: 2}\ntraining: {sequence_length: 1024, global_batch: 2}\nstack: megatron-2022\n"
    "perturb: [{device: 0, compute_factor: 0.9}]\n"
    "reliability: {failures: [{cause: gpu, per_gpu_year: 1}], checkpoint: {time: 1 s}}\n";

// Takes any text.
bool is_free_text(const nlohmann::json& schema) {
  const nlohmann::json& item = schema.contains("items") ? schema["items"] : schema;
  return item.value("type", "") == "string" && !item.contains("enum") && !item.contains("pattern");
}

// Sets a key to each value; those of `never` must be refused, all others must be taken or refused with words.
int refused_of(const YamlTree& base, const std::string& path, const std::vector<std::string>& values, bool never) {
  int refused = 0;
  for (const std::string& value : values) {
    YamlTree tree = base;
    const std::string assignment = path + "=" + value;
    Diagnostics errors = tree.set(assignment);
    if (errors.empty()) {
      const Result<scenario::Scenario> scenario = scenario::read_scenario(tree);
      CHECK_MESSAGE(!(scenario.ok() && never), "accepted ", assignment);
      if (scenario) continue;
      errors = scenario.errors();
    }
    ++refused;
    check_words(errors, assignment);
  }
  return refused;
}

// Never right: no value, not a number, more than 64 bits, a word nobody knows.
const std::vector<std::string> kNever{"~",    ".nan", ".inf",  "1e308",  "9223372036854775808",
                                      "0x10", "8 x",  "xyzzy", "5 XB/s", "[[]]"};
const std::vector<std::string> kPerhaps{"''", "[]", "{}", "-1", "0", "5"};

}  // namespace

TEST_CASE("mistyped values of every key of the schema are refused with words and a place") {
  const Result<YamlTree> base = read_yaml_text(kAny, "any.yaml");
  REQUIRE(base.ok());
  const Result<scenario::Scenario> scenario = scenario::read_scenario(*base);
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  for (const testing::SchemaKey& key : testing::schema_keys()) {
    const bool text = is_free_text(key.schema);
    CHECK(refused_of(*base, key.path, kNever, !text) >= (text ? 1 : 10));
    refused_of(*base, key.path, kPerhaps, false);
  }
}

TEST_CASE("mistyped values are refused with words and a place") {
  int refused = 0;
  for (const fs::path& file : scenario_files()) {
    const Result<YamlTree> base = read_yaml_file(file);
    REQUIRE(base.ok());
    CHECK_MESSAGE(scenario::read_scenario(*base).ok(), file.string());
    std::vector<Key> keys;
    collect(*base, base->root(), "", keys);
    INFO(file.filename().string());
    for (const Key& key : keys)
      refused += refused_of(*base, key.path, kNever, true) + refused_of(*base, key.path, kPerhaps, false);
  }
  CHECK(refused > 100);
}

TEST_CASE("a misspelt key is refused, and the right one offered") {
  const Result<YamlTree> base = read_yaml_text(kAny, "any.yaml");
  REQUIRE(base.ok());
  for (const testing::SchemaKey& key : testing::schema_keys()) {
    const std::string name = key.path.substr(key.path.rfind('.') + 1);
    if (name.size() < 4) continue;  // too short for a suggestion to be sure
    YamlTree tree = *base;
    if (key.path.starts_with("cluster.pools."))  // of a list that the others do without
      REQUIRE(tree.set("cluster={pools: [{type: selene}]}").empty());
    const std::string misspelt = key.path.substr(0, key.path.size() - 1) + "_" + key.path.back();
    REQUIRE(tree.set(misspelt + "=1").empty());
    const Result<scenario::Scenario> scenario = scenario::read_scenario(tree);
    INFO(misspelt);
    REQUIRE_FALSE(scenario.ok());
    std::string place = misspelt;
    if (const std::size_t item = place.find(".0."); item != std::string::npos) place.replace(item, 2, "[0]");
    const auto helps = [&](const Diagnostic& d) { return d.path == place && d.help == "did you mean '" + name + "'?"; };
    CHECK(std::any_of(scenario.errors().begin(), scenario.errors().end(), helps));
  }
}

}  // namespace orrery::mutation_test
