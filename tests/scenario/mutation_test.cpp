// Every value of every scenario that comes with Orrery, replaced by what people type by mistake: accepted, or refused
// with a place and words; and a misspelt key is always refused with the right one.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "orrery/scenario/scenario.hpp"
#include "paths.hpp"

using namespace orrery;
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

}  // namespace

TEST_CASE("mistyped values are refused with words and a place") {
  // Never right: no value, not a number, more than 64 bits, a word nobody knows.
  const std::vector<std::string> never{"~",    ".nan", ".inf",  "1e308",  "9223372036854775808",
                                       "0x10", "8 x",  "xyzzy", "5 XB/s", "[[]]"};
  const std::vector<std::string> perhaps{"''", "[]", "{}", "-1", "0", "5"};
  int refused = 0;
  for (const fs::path& file : scenario_files()) {
    const Result<YamlTree> base = read_yaml_file(file);
    REQUIRE(base.ok());
    CHECK_MESSAGE(scenario::read_scenario(*base).ok(), file.string());
    std::vector<Key> keys;
    collect(*base, base->root(), "", keys);
    for (const Key& key : keys)
      for (const auto* values : {&never, &perhaps})
        for (const std::string& value : *values) {
          YamlTree tree = *base;
          const std::string assignment = key.path + "=" + value;
          Diagnostics errors = tree.set(assignment);
          if (errors.empty()) {
            const Result<scenario::Scenario> scenario = scenario::read_scenario(tree);
            if (scenario && values == &perhaps) continue;
            CHECK_MESSAGE(!scenario.ok(), file.filename().string(), ": accepted ", assignment);
            if (scenario) continue;
            errors = scenario.errors();
          }
          ++refused;
          check_words(errors, file.filename().string() + ": " + assignment);
        }
  }
  CHECK(refused > 100);
}

TEST_CASE("a misspelt key is refused, and the right one offered") {
  for (const fs::path& file : scenario_files()) {
    const Result<YamlTree> base = read_yaml_file(file);
    REQUIRE(base.ok());
    std::vector<Key> keys;
    collect(*base, base->root(), "", keys);
    for (const Key& key : keys) {
      const std::size_t dot = key.path.rfind('.');
      const std::string name = key.path.substr(dot == std::string::npos ? 0 : dot + 1);
      if (name.size() < 4) continue;  // too short for a suggestion to be sure
      YamlTree tree = *base;
      const std::string misspelt = key.path.substr(0, key.path.size() - 1) + "_" + key.path.back();
      REQUIRE(tree.set(misspelt + "=1").empty());
      const Result<scenario::Scenario> scenario = scenario::read_scenario(tree);
      INFO(file.filename().string(), ": ", misspelt);
      REQUIRE_FALSE(scenario.ok());
      const auto helps = [&](const Diagnostic& d) {
        return d.path == misspelt && d.help == "did you mean '" + name + "'?";
      };
      CHECK(std::any_of(scenario.errors().begin(), scenario.errors().end(), helps));
    }
  }
}
