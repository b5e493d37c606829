// orrery list, orrery schema.
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace orrery::list_test {

using orrery::testing::check_golden;
using orrery::testing::kBuild;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;
using orrery::testing::run_shell;

TEST_CASE("orrery list prints names with the figures one chooses by") {
  for (const std::string what : {"models", "gpus", "clusters", "schedules", "stacks"}) {
    CAPTURE(what);
    const Outcome text = run_orrery("list " + what + " 2>&1");
    CHECK(text.code == 0);
    check_golden("tests/cli/golden/list_" + what + ".txt", text.text);
    const auto json = nlohmann::json::parse(run_orrery("list " + what + " --json").text);
    CHECK(json["schema"] == "orrery.list/1");
    // As many entries as lines under the header, in the same order.
    std::istringstream lines(text.text);
    std::string line;
    std::getline(lines, line);
    for (const auto& entry : json[what]) {
      REQUIRE(std::getline(lines, line));
      CHECK(line.substr(0, line.find(' ')) == entry["name"]);
    }
    CHECK_FALSE(std::getline(lines, line));
  }
  CHECK(run_orrery("list cars 2>/dev/null").code == 2);
  CHECK(run_orrery("list 2>/dev/null").code == 0);
}

TEST_CASE("orrery list counts parameters to the last one") {
  const auto json = nlohmann::json::parse(run_orrery("list models --json").text);
  for (const auto& model : json["models"])
    if (model["name"] == "llama3.1-8b") {
      CHECK(model["parameters"] == 8030261248);  // of the published checkpoint
      CHECK(model["kv_heads"] == 8);
    }
}

TEST_CASE("a user's file that is wrong is named, and nothing is listed") {
  const Outcome outcome = run_shell(
      "d=$(mktemp -d) && mkdir $d/stacks && echo 'name: 3x' > $d/stacks/own.yaml && "
      "ORRERY_SCENARIOS=$d " +
      kBuild + "/orrery list stacks 2>&1; echo $?; rm -r $d");
  CHECK(outcome.text.find("/stacks/own.yaml:1:1: about: is missing") != std::string::npos);
  CHECK(outcome.text.ends_with("\n2\n"));
}

TEST_CASE("the committed schema is what orrery schema prints") {
  const Outcome schema = run_orrery("schema");
  CHECK(schema.code == 0);
  check_golden("scenario.schema.json", schema.text);
  const auto json = nlohmann::json::parse(schema.text);
  // Texts that stand for a map, and closed lists, are what an editor completes.
  CHECK(json["properties"]["stack"]["anyOf"][1]["type"] == "string");
  CHECK(json["properties"]["training"]["properties"]["precision"]["enum"].size() == 7);
}

}  // namespace orrery::list_test
