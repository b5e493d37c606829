// Each key does something: tests/keys/cases.txt sets every key of the schema to another value where it matters, and
// the result must change. A new key without a case fails.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <vector>

#include "golden.hpp"
#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"
#include "schema_keys.hpp"

namespace orrery::scenario::keys_test {

namespace {

// Keys that change no result, at most thirteen, and why.
const std::map<std::string, std::string> kWithoutEffect{
    {"model.source", "a source"},
    {"model.experts.router", "softmax and sigmoid take as long"},
    {"model.experts.groups", "where a token may go: the loads are balanced"},
    {"model.experts.top_groups", "the same"},
    {"cluster.sources", "sources"},
    {"cluster.gpu_definition.sources", "sources"},
    {"cluster.gpu_definition.tensor_clock_mhz", "a source: what the dense peaks were computed from"},
    {"cluster.gpu_definition.dense_peak.int8", "of the data sheet; nothing is trained in it"},
    {"cluster.gpu_definition.price_source", "a source"},
    {"training.routing.type", "balanced, as without it"},
    {"stack.experts.available", "refuses or does not"},
    {"stack.name", "a name"},
    {"stack.about", "a text"},
};

// Of other commands than run: their tests set them.
const std::map<std::string, std::string> kOfOtherCommands{
    {"sweep", "sweep"},
    {"cluster.gpu_definition.power_watts", "plan"},
    {"cluster.gpu_definition.price_usd_per_hour", "plan"},
};

struct Case {
  std::string base, key, value;
  std::vector<std::string> given, with;  // assignments to both sides; together with the key
};

std::vector<std::string> split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  for (std::size_t from = 0;;) {
    const std::size_t to = text.find(by, from);
    if (to == std::string::npos) {
      parts.push_back(text.substr(from));
      return parts;
    }
    parts.push_back(text.substr(from, to - from));
    from = to + by.size();
  }
}

Case case_of(const std::string& base, std::string line) {
  Case c{base, {}, {}, {}, {}};
  for (auto& [word, list] : {std::pair("  given ", &c.given), std::pair("  and ", &c.with)})
    if (const std::size_t at = line.find(word); at != std::string::npos) {
      *list = split(line.substr(at + std::string(word).size()), "; ");
      line = line.substr(0, at);
    }
  const std::size_t at = line.find(" = ");
  REQUIRE_MESSAGE(at != std::string::npos, line);
  c.key = line.substr(0, at), c.value = line.substr(at + 3);
  return c;
}

std::vector<Case> read_cases() {
  const std::string folder = testing::source_dir() + "/tests/keys";
  std::string text = testing::read_text(folder + "/cases.txt"), base;
  for (std::size_t at = 0; (at = text.find("KEYS", at)) != std::string::npos;) text.replace(at, 4, folder);
  std::vector<Case> cases;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    if (line.starts_with("base "))
      base.clear();
    else if (line.starts_with("  "))
      base += line.substr(2) + "\n";
    else
      cases.push_back(case_of(base, line));
  }
  return cases;
}

Result<Scenario> scenario_of(const Case& c, const std::vector<std::string>& assignments) {
  Result<YamlTree> tree = read_yaml_text(c.base, "base");
  REQUIRE_MESSAGE(tree.ok(), render(tree.errors()));
  for (const std::string& assignment : assignments) {
    const Diagnostics errors = tree->set(assignment);
    REQUIRE_MESSAGE(errors.empty(), render(errors));
  }
  return read_scenario(*tree);
}

// What a run says, less what was asked and how it was found out.
nlohmann::json result_of(const Case& c, const std::vector<std::string>& assignments) {
  const Result<Scenario> scenario = scenario_of(c, assignments);
  REQUIRE_MESSAGE(scenario.ok(), c.key << ": " << render(scenario.errors()));
  const Result<report::RunResult> run = resolve_and_simulate(*scenario);
  REQUIRE_MESSAGE(run.ok(), c.key << ": " << render(run.errors()));
  nlohmann::json all = nlohmann::json::parse(report::to_json(*run));
  for (const char* key : {"scenario", "simulation", "evaluated_by", "notes", "warnings"}) all.erase(key);
  return all;
}

}  // namespace

TEST_CASE("every key of the schema changes some result, or is known not to") {
  const std::vector<testing::SchemaKey> keys = testing::schema_keys();
  CHECK(keys.size() > 150);
  std::set<std::string> missing;
  for (const testing::SchemaKey& key : keys) missing.insert(key.path);
  for (const Case& c : read_cases()) {
    missing.erase(c.key);
    if (std::none_of(keys.begin(), keys.end(), [&](const testing::SchemaKey& key) { return key.path == c.key; })) {
      MESSAGE(c.key << " is no key of the schema: its case may go");
      continue;
    }
    CHECK_MESSAGE(!kWithoutEffect.contains(c.key), c.key << " has a case");
    std::vector<std::string> changed = c.given;
    changed.insert(changed.end(), c.with.begin(), c.with.end());
    changed.push_back(c.key + "=" + c.value);
    const bool same = result_of(c, c.given) == result_of(c, changed);
    CHECK_MESSAGE(!same, c.key << " = " << c.value << " changes nothing");
  }
  CHECK(kWithoutEffect.size() <= 13);
  for (const auto& [key, why] : kWithoutEffect) missing.erase(key);
  for (const auto& [key, command] : kOfOtherCommands) missing.erase(key);
  for (const std::string& key : missing) FAIL_CHECK(key << " has no case in tests/keys/cases.txt");
}

// The words that no case's scenario takes are refused for what else it says.
TEST_CASE("every word of a choice is kept as it was said") {
  const std::vector<testing::SchemaKey> keys = testing::schema_keys();
  std::string refused;
  int kept = 0;
  for (const Case& c : read_cases()) {
    const auto key = std::find_if(keys.begin(), keys.end(), [&](const auto& k) { return k.path == c.key; });
    if (key == keys.end() || !key->schema.contains("enum")) continue;
    std::string pointer = "/" + c.key;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    for (const nlohmann::json& word : key->schema["enum"]) {
      if (!word.is_string()) continue;
      std::vector<std::string> said = c.given;
      said.insert(said.end(), c.with.begin(), c.with.end());
      said.push_back(c.key + "=" + word.get<std::string>());
      const Result<Scenario> scenario = scenario_of(c, said);
      if (!scenario.ok()) {
        refused += said.back() + "\n";
        continue;
      }
      ++kept;
      const nlohmann::json json = nlohmann::json::parse(to_json(*scenario));
      CHECK_MESSAGE(json.at(nlohmann::json::json_pointer(pointer)) == word, said.back());
    }
  }
  CHECK_MESSAGE(kept > 100, refused);
}

}  // namespace orrery::scenario::keys_test
