// orrery sweep, tune and diff as a shell sees them.
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace orrery::sweep_test {

using nlohmann::json;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;
using orrery::testing::run_shell;

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
  says("--space 'tensor=8..1'", "say 1..8");
  says("--space 'tensor='", "has an empty value");
  says("--space 'tensor=1; layout.tensor=2'", "give all its values in one list");
  says("--space 'tensor=1..8*1'", "does not end");
  says("--space 'global_batch=1..40000; micro_batch=1..40000'", "--sample 100000 takes so many of them at random");
  says("--where 'memory <= 76'", "has no unit");
  says("--where 'tensor'", "there is no comparison");
  says("--shard 0/4", "the first is 1/8");
  says("--shard 2", "is no part of a whole");
  says("--shard 1/", "is no part of a whole");
  says("--shard a/b", "is no part of a whole");
  says("--threads -1", "--threads");
  says("--threads many", "--threads");
  says("--sample 0", "--sample");
  says("--top 0", "--top");
  says("--store /no/such/folder/a.sqlite --space 'tensor=1'", "--store takes another name");
  says("--store README.md", "is no store of a sweep");
  const Outcome none = run_orrery("sweep 2>&1");
  CHECK(none.code == 2);
  CHECK(none.text.find("SCENARIO is required") != std::string::npos);
}

TEST_CASE("stores of two scenarios are not merged, and each is left as it was") {
  const std::string folder = "/tmp/orrery_merge_" + std::to_string(::getpid());
  run_shell("mkdir -p " + folder);
  const auto part = [&](const std::string& name, const std::string& more) {
    return run_orrery(
               "sweep scenarios/quickstart-8gpu.yaml --set network=ideal --no-sensitivity --space 'tensor=1,2' " +
               more + " --store " + folder + "/" + name + " 2>&1")
        .code;
  };
  CHECK(part("a.sqlite", "") == 0);
  CHECK(part("b.sqlite", "--set training.global_batch=64") == 0);
  const std::string both = "sweep --merge " + folder + "/a.sqlite --merge " + folder + "/b.sqlite --store " + folder;
  const Outcome refused = run_orrery(both + "/all.sqlite 2>&1");
  CHECK(refused.code == 2);
  CHECK(refused.text.find("is the store of another sweep than") != std::string::npos);
  CHECK(refused.text.find("nothing was changed") != std::string::npos);
  CHECK(run_shell("test -e " + folder + "/all.sqlite").code == 1);
  const Outcome one = run_orrery("sweep --merge " + folder + "/a.sqlite --store " + folder + "/all.sqlite 2>&1");
  CHECK(one.code == 0);
  CHECK(one.text.find("2 layouts") != std::string::npos);
  run_shell("rm -r " + folder);
}

TEST_CASE("a layout's cost is that of its GPUs for the step, a figure of conditions and of the front") {
  const json all = json::parse(run_orrery(kSweep + "--json 2>/dev/null").text);
  // Eight A100 at 1.79 dollars an hour (topologies/gpus/a100-sxm-80gb.yaml).
  for (const json& row : all["best"])
    CHECK(row["cost_usd"].get<double>() ==
          doctest::Approx(8 * 1.79 / 3600 * row["step_time_ps"].get<double>() / 1e12).epsilon(1e-9));
  const double best = all["best"][0]["cost_usd"], worst = all["best"].back()["cost_usd"];
  CHECK(best < worst);
  const json some =
      json::parse(run_orrery(kSweep + fmt::format("--where 'cost_usd <= {}' --json 2>/dev/null", best)).text);
  CHECK(some["counts"]["fit"] == 1);
  CHECK(some["unwanted"][0]["points"].get<int>() > 0);
  // Cheaper and slower GPUs are on the front; those of which nobody has a price have no cost.
  const std::string two =
      "sweep scenarios/quickstart-8gpu.yaml --set network=ideal --no-sensitivity --no-prune "
      "--space 'cluster.gpu=a100-sxm-80gb,h100-sxm-80gb,a800; tensor=1; pipeline=4' ";
  const json gpus = json::parse(run_orrery(two + "--json 2>/dev/null").text);
  std::vector<std::string> front;
  for (const json& row : gpus["pareto"]) front.push_back(row["cluster.gpu"]);
  CHECK(std::find(front.begin(), front.end(), "h100-sxm-80gb") != front.end());
  for (const json& row : gpus["best"]) CHECK(row.contains("cost_usd") == (row["cluster.gpu"] != "a800"));
  CHECK(run_orrery(two + "2>/dev/null").text.find("cost/B tokens") != std::string::npos);
  CHECK(run_orrery(kSweep + "--csv - 2>/dev/null").text.find(",cost_usd,") != std::string::npos);
}

TEST_CASE("of the fastest layout that does not fit it is said what would make it") {
  const std::string unfit =
      "sweep scenarios/quickstart-8gpu.yaml --set network=ideal --set model=gpt3-6.7b --no-prune "
      "--space 'tensor=1; pipeline=1,2,4; micro_batch=4' ";
  const json all = json::parse(run_orrery(unfit + "--json 2>/dev/null").text);
  REQUIRE(all.contains("fastest_that_does_not_fit"));
  REQUIRE_FALSE(all["remedies"].empty());
  const json& remedy = all["remedies"][0];
  // The layout with that change, as run plays it.
  std::string again = "run scenarios/quickstart-8gpu.yaml --set network=ideal --set model=gpt3-6.7b";
  const json& layout = all["fastest_that_does_not_fit"];
  for (const char* key : {"layout.tensor", "layout.pipeline", "training.micro_batch", "layout.data"})
    again += fmt::format(" --set {}={}", key, layout[key].get<std::string>());
  for (const json& set : remedy["set"]) again += " --set " + set.get<std::string>();
  const json run = json::parse(run_orrery(again + " --json 2>/dev/null").text);
  CHECK(run["step_time_s"].get<double>() == doctest::Approx(remedy["step_time_ps"].get<double>() / 1e12));
  CHECK(run["verdict"] != "does_not_fit");
  CHECK(run_orrery(unfit + "2>/dev/null").text.find("fits with ") != std::string::npos);
  CHECK(run_orrery(unfit + "--no-sensitivity 2>/dev/null").text.find("fits with ") == std::string::npos);
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

TEST_CASE("each picture of a sweep is SVG alone on standard output, those it has none of are refused") {
  for (const char* chart : {"pareto", "heat", "parallel"}) {
    const Outcome drawn = run_orrery(kSweep + "--plot - --chart " + chart + " 2>/dev/null");
    CHECK(drawn.code == 0);
    CHECK(drawn.text.starts_with("<svg "));
    CHECK(drawn.text.ends_with("</svg>\n"));
  }
  const Outcome none = run_orrery(kSweep + "--plot - --chart scaling 2>&1 >/dev/null");
  CHECK(none.code == 2);
  CHECK(none.text.find("--plot: there is no picture of this") != std::string::npos);
  CHECK(none.text.find("several numbers of nodes") != std::string::npos);
}

TEST_CASE("a wrong section sweep is an error of check, at its place") {
  const Outcome outcome = run_orrery("check scenarios/quickstart-8gpu.yaml --set 'sweep={tensr: [1]}' 2>&1");
  CHECK(outcome.code == 2);
  CHECK(outcome.text.find("did you mean 'tensor'?") != std::string::npos);
}

}  // namespace orrery::sweep_test
