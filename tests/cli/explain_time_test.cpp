// orrery explain --critical-path and --operators.
#include <cmath>
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace orrery::explain_time_test {

using nlohmann::json;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;

namespace {

json answer(const std::string& arguments) {
  const Outcome outcome = run_orrery("explain " + arguments + " --json 2>/dev/null");
  REQUIRE(outcome.code == 0);
  return json::parse(outcome.text);
}

}  // namespace

TEST_CASE("the critical path sums to the step, by kind and by stage") {
  for (const char* scenario : {"scenarios/quickstart-16gpu.yaml", "scenarios/mpt-7b-fsdp-8xa100.yaml"}) {
    const json path = answer(std::string(scenario) + " --critical-path");
    CHECK(path["schema"] == "orrery.explain_path/1");
    const json run = json::parse(run_orrery(std::string("run ") + scenario + " --json 2>/dev/null").text);
    CHECK(path["step_time_s"] == run["step_time_s"]);
    for (const char* table : {"path", "path_by_stage"}) {
      double sum = 0;
      for (const json& row : path[table]) sum += row["time_s"].get<double>();
      CHECK(sum == doctest::Approx(run["step_time_s"].get<double>()).epsilon(1e-9));
    }
    for (const json& row : path["slack_by_stage"]) {
      CHECK(row["least_s"].get<double>() >= 0);
      CHECK(row["least_s"].get<double>() <= row["mean_s"].get<double>() + 1e-12);
      CHECK(row["mean_s"].get<double>() <= row["most_s"].get<double>() + 1e-12);
    }
    // Something is on the path, so it has no slack.
    double least = 1;
    for (const json& row : path["slack"]) least = std::min(least, row["least_s"].get<double>());
    CHECK(least == 0);
    CHECK(path["ten_percent_more"].size() == 7);
    for (const json& row : path["ten_percent_more"])
      CHECK(row["saved_s"].get<double>() ==
            doctest::Approx(run["step_time_s"].get<double>() - row["step_time_s"].get<double>()));
  }
}

TEST_CASE("the operators of a layer have their shape, their time and what bounds them") {
  const json all = answer("scenarios/quickstart-16gpu.yaml --operators");
  std::size_t products = 0, memory = 0, network = 0;
  double share = 0;
  for (const json& row : all["operators"]) {
    CHECK(row["time_s"].get<double>() > 0);
    share += row["share"].get<double>();
    products += row["flops"].get<double>() > 0 ? 1 : 0;
    memory += row["bound"] == "HBM" || row["bound"] == "launch" ? 1 : 0;
    network += row["bound"] == "network" ? 1 : 0;
    if (row["bound"] == "network") CHECK(row["shape"] == "all-reduce");
  }
  CHECK(products >= 12);  // four matrices and attention forward, two each backward
  CHECK(memory > 4);
  CHECK(network == 4);  // a sum behind attention and one behind the MLP, forward and backward
  CHECK(share == doctest::Approx(all["share_of_step"].get<double>()));
  CHECK(share < 1);
  const std::string text = run_orrery("explain scenarios/quickstart-16gpu.yaml --operators").text;
  CHECK(text.find("Layer 4, of stage 0, one micro-batch on one GPU:\n") != std::string::npos);
  CHECK(text.find("bound by") != std::string::npos);
}

TEST_CASE("what cannot be explained is said, with what can be done") {
  const Outcome large =
      run_orrery("explain scenarios/quickstart-16gpu.yaml --critical-path --set training.micro_batch=16 2>&1");
  CHECK(large.code == 2);
  CHECK(large.text.find("the layout does not fit: the fullest GPU needs ") != std::string::npos);
  CHECK(
      large.text.find(
          " more than it has, so there is no step to explain\n  help: `orrery tune` looks for a layout that fits\n") !=
      std::string::npos);
  const Outcome two = run_orrery("explain scenarios/quickstart-16gpu.yaml --critical-path --operators 2>&1");
  CHECK(two.code == 2);
  CHECK(two.text ==
        "error: orrery explain: --layout, --critical-path and --operators are three questions\n  help: ask one at a "
        "time\n");
}

}  // namespace orrery::explain_time_test
