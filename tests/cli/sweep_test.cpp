// orrery sweep, tune and diff as a shell sees them.
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "program.hpp"

using nlohmann::json;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;

namespace {

const std::string kSweep =
    "sweep scenarios/quickstart-8gpu.yaml --set network=ideal --no-sensitivity "
    "--space 'tensor=1,2,8; pipeline=auto; micro_batch=1,2' ";

}  // namespace

TEST_CASE("orrery sweep prints counts that sum, and a command that plays the best again") {
  const Outcome outcome = run_orrery(kSweep + "--json 2>&1");
  CHECK(outcome.code == 0);
  const json all = json::parse(outcome.text);
  CHECK(all["schema"] == "orrery.sweep/1");
  const json& c = all["counts"];
  CHECK(c["space"] ==
        c["refused"].get<int>() + c["duplicate"].get<int>() + c["pruned"].get<int>() + c["evaluated"].get<int>());
  const std::string again = all["run"];
  REQUIRE(again.starts_with("orrery run "));
  const json run = json::parse(run_orrery(again.substr(7) + " --json 2>/dev/null").text);
  CHECK(fmt::format("{:.12f}", run["step_time_s"].get<double>()) ==
        fmt::format("{:.12f}", all["best"][0]["step_time_ps"].get<double>() / 1e12));
}

TEST_CASE("orrery sweep writes a row for each point, the same for any number of threads") {
  const Outcome one = run_orrery(kSweep + "--csv - --threads 1 2>/dev/null");
  const Outcome three = run_orrery(kSweep + "--csv - --threads 3 2>/dev/null");
  CHECK(one.code == 0);
  CHECK(one.text == three.text);
  CHECK(one.text.starts_with("layout.tensor,layout.pipeline,training.micro_batch,layout.data,status,step_time_ps,"));
  const json all = json::parse(run_orrery(kSweep + "--json 2>/dev/null").text);
  CHECK(std::count(one.text.begin(), one.text.end(), '\n') == all["counts"]["space"].get<int>() + 1);
}

TEST_CASE("layouts of a sweep played again without what saves time are equal") {
  const Outcome outcome = run_orrery(kSweep + "--verify 3 2>&1");
  CHECK(outcome.code == 0);
  CHECK(outcome.text.find("verified: 3 equal, 0 different, 0 too large") != std::string::npos);
}

TEST_CASE("where no layout fits, the nearest and what it lacks are said") {
  const Outcome outcome =
      run_orrery("sweep scenarios/quickstart-8gpu.yaml --set model=gpt3-175b --space 'tensor=4,8; pipeline=1' 2>&1");
  CHECK(outcome.code == 1);
  CHECK(outcome.text.find("nearest to fitting: tensor 8") != std::string::npos);
  CHECK(outcome.text.find("no layout fits") != std::string::npos);
}

TEST_CASE("wrong options of a sweep are refused with their remedy") {
  const auto says = [](const std::string& options, const std::string& what) {
    const Outcome outcome = run_orrery("sweep scenarios/quickstart-8gpu.yaml " + options + " 2>&1");
    CAPTURE(outcome.text);
    CHECK(outcome.code == 2);
    CHECK(outcome.text.find(what) != std::string::npos);
  };
  says("--threads 0", "--threads");
  says("--shard 5/4", "--shard 2/8 is the second of eight parts");
  says("--where 'memry <= 1 GiB'", "is no figure");
  says("--space 'tensr=1'", "did you mean 'tensor'?");
  says("--store /", "is no file");
  says("--merge a.sqlite", "--merge takes stores, and no scenario");
  says("--csv /no/such/folder/a.csv", "/no/such/folder");
  const Outcome none = run_orrery("sweep 2>&1");
  CHECK(none.code == 2);
  CHECK(none.text.find("SCENARIO is required") != std::string::npos);
}

TEST_CASE("orrery tune finds the best of the section sweep, and says where its time goes") {
  const Outcome outcome =
      run_orrery("tune scenarios/quickstart-8gpu.yaml --set network=ideal --set 'sweep={tensor: [1, 2]}' 2>&1");
  CHECK(outcome.code == 0);
  CHECK(outcome.text.find("again: orrery run") != std::string::npos);
  CHECK(outcome.text.find("10 % more of: FLOP/s of the GPU -") != std::string::npos);
  CHECK(outcome.text.find("its time: compute") != std::string::npos);
}

TEST_CASE("orrery diff shows what differs in the input, the step, its split and the memory") {
  const std::string both = "diff scenarios/quickstart-8gpu.yaml scenarios/quickstart-8gpu.yaml --set network=ideal ";
  const json all = json::parse(run_orrery(both + "--set-b training.recompute=full --json").text);
  CHECK(all["schema"] == "orrery.diff/1");
  CHECK(all["keys"].size() == 1);
  CHECK(all["keys"]["training.recompute"]["b"] == "full");
  double recompute = 0, more_time = 0, less_memory = 0;
  for (const json& f : all["figures"]) {
    const double change = f["b"].get<double>() - f["a"].get<double>();
    if (f["name"] == "recompute") recompute = change;
    if (f["name"] == "step time") more_time = change;
    if (f["name"] == "activations") less_memory = -change;
  }
  CHECK(recompute > 0);
  CHECK(more_time > 0);
  CHECK(less_memory > 0);
  CHECK(run_orrery(both).text.find("they say the same") != std::string::npos);
}

TEST_CASE("a wrong section sweep is an error of check, at its place") {
  const Outcome outcome = run_orrery("check scenarios/quickstart-8gpu.yaml --set 'sweep={tensr: [1]}' 2>&1");
  CHECK(outcome.code == 2);
  CHECK(outcome.text.find("did you mean 'tensor'?") != std::string::npos);
}
