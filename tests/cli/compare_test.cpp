// orrery compare. Times change with every better constant, so they are held against `orrery run`, not written down.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "program.hpp"

namespace orrery::compare_test {

using nlohmann::json;
using orrery::testing::kBuild;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;

namespace {

const std::string kScenario = "scenarios/quickstart-8gpu.yaml --set stack=megatron-2024 ";

}  // namespace

TEST_CASE("orrery compare ranks all schedules within the same memory, each as orrery run plays it") {
  constexpr std::int64_t kLimit = std::int64_t{20} << 30;
  const Outcome outcome = run_orrery("compare " + kScenario + "--memory 20GiB --json 2>&1");
  CHECK(outcome.code == 0);
  const json all = json::parse(outcome.text);
  CHECK(all["schema"] == "orrery.compare/1");
  CHECK(all["memory_limit_bytes"] == kLimit);
  std::set<std::string> seen;
  double before = 1e300;
  for (const json& r : all["results"]) {
    CAPTURE(r.dump());
    seen.insert(r["schedule"]);
    CHECK(r["tokens_per_s"] <= before);
    CHECK(r["memory_bytes"] <= kLimit);
    before = r["tokens_per_s"];
    const std::string cap = r.contains("memory_cap") ? ", memory_cap: " + r["memory_cap"].dump() : "";
    const json run = json::parse(
        run_orrery(
            fmt::format("run {} --set 'schedule={{type: {}{}}}' --set layout.virtual={} --set "
                        "training.micro_batch={} --set training.recompute={} --set network=steady --json 2>/dev/null",
                        kScenario, r["schedule"].get<std::string>(), cap, r["virtual"].dump(), r["micro_batch"].dump(),
                        r["recompute"].get<std::string>()))
            .text);
    CHECK(run["step_time_s"] == r["step_time_s"]);
  }
  for (const json& r : all["refused"]) {
    seen.insert(r["schedule"]);
    CHECK(r["why"].get<std::string>().starts_with("does not fit: "));
  }
  // Every schedule of the list but the two names for zb_auto with a cap is in one of the two.
  const json list = json::parse(run_orrery("list schedules --json").text);
  CHECK(seen.size() + 2 == list["schedules"].size());
  CHECK(!all["refused"].empty());  // gpipe holds all 16 micro-batches
}

TEST_CASE("where messages block, schedules that nobody runs so get asynchronous ones, and that is said") {
  const std::string blocking =
      "compare scenarios/quickstart-8gpu.yaml --set stack=megatron-2022 --schedules 1f1b,zb_h1 ";
  const json all = json::parse(run_orrery(blocking + "--json").text);
  REQUIRE(all["results"].size() == 2);
  for (const json& r : all["results"]) {
    const bool changed = r["schedule"] == "zb_h1";
    CHECK(r.value("messages", "") == (changed ? "asynchronous" : ""));
    const json run = json::parse(
        run_orrery(fmt::format("run scenarios/quickstart-8gpu.yaml --set stack=megatron-2022 --set schedule={} --set "
                               "training.micro_batch={} --set training.recompute={} --set network=steady {} --json "
                               "2>/dev/null",
                               r["schedule"].get<std::string>(), r["micro_batch"].dump(),
                               r["recompute"].get<std::string>(),
                               changed ? "--set stack.communication.messages=asynchronous" : ""))
            .text);
    CHECK(run["step_time_s"] == r["step_time_s"]);
  }
  CHECK(run_orrery(blocking).text.find("\nmessages asynchronous: those of megatron-2022 block") != std::string::npos);
}

TEST_CASE("more memory never makes a schedule slower") {
  const auto best = [](const std::string& memory) {
    const json all =
        json::parse(run_orrery("compare " + kScenario + "--schedules 1f1b,zb_h2 --json --memory " + memory).text);
    std::map<std::string, double> tokens;
    for (const json& r : all["results"]) tokens[r["schedule"]] = r["tokens_per_s"];
    return tokens;
  };
  const auto little = best("20GiB"), more = best("30GiB"), all = best("79GiB");
  CHECK(all.size() == 2);
  for (const auto& [name, tokens] : little) CHECK(tokens <= more.at(name));
  for (const auto& [name, tokens] : more) CHECK(tokens <= all.at(name));
}

// Below what the allocator would like to keep and above what it can do with: as `orrery run` says of a GPU of that
// size.
TEST_CASE("what a GPU of --memory must release memory for fits, and that is said") {
  const std::string tight = "compare " + kScenario + "--schedules 1f1b --memory 14360MiB ";
  const json all = json::parse(run_orrery(tight + "--json").text);
  REQUIRE(all["results"].size() == 1);
  const json& best = all["results"][0];
  const json run =
      json::parse(run_orrery(fmt::format("run {} --set training.recompute={} --set network=steady --json --set "
                                         "'cluster.gpu_definition={{usable_memory: 14360 MiB}}' 2>/dev/null",
                                         kScenario, best["recompute"].get<std::string>()))
                      .text);
  CHECK(run["verdict"] == "fits_by_releasing");
  CHECK(best["verdict"] == run["verdict"]);
  CHECK(best["memory_bytes"] <= all["memory_limit_bytes"]);
  const std::string text = run_orrery(tight).text;
  CHECK(text.find("GiB by releasing") != std::string::npos);
  CHECK(text.find("\nby releasing: cached memory is given back") != std::string::npos);
  const json roomy = json::parse(run_orrery("compare " + kScenario + "--schedules 1f1b --memory 16GiB --json").text);
  CHECK(roomy["results"][0]["verdict"] == "fits");
  CHECK(roomy["results"][0]["memory_bytes"] > all["memory_limit_bytes"]);
}

TEST_CASE("what cannot be compared ends with its reason and code") {
  const Outcome none = run_orrery("compare " + kScenario + "--memory 1GiB --schedules 1f1b 2>&1");
  CHECK(none.code == 1);
  CHECK(none.text.find("\nnot possible:\n  1f1b: does not fit: ") != std::string::npos);
  CHECK(run_orrery("compare " + kScenario + "--schedules 1f1c 2>&1").text ==
        "--schedules: unknown schedule '1f1c'; `orrery list schedules` lists them, 'all' takes all\n  help: did you "
        "mean '1f1b'?\n");
  CHECK(run_orrery("compare " + kScenario + "--schedules 1f1c 2>/dev/null").code == 2);
  CHECK(run_orrery("compare " + kScenario + "--memory 40 2>/dev/null").code == 2);
  CHECK(run_orrery("compare " + kScenario + "--set layout.pipeline=1 --set layout.data=8 2>/dev/null").code == 2);
  // With a stack whose messages block, a schedule that deadlocks is refused with the rank that stands still.
  const Outcome blocked =
      run_orrery("check scenarios/quickstart-8gpu.yaml --set schedule=zbv --set layout.virtual=2 2>&1");
  CHECK(blocked.code == 2);
  CHECK(blocked.text.find("zbv deadlocks with the blocking messages of megatron-2022: rank 0") != std::string::npos);
}

// quickstart-8gpu has 32 layers on 4 pipeline ranks: 2, 4 and 8 chunks divide them, 3 does not.
TEST_CASE("virtual degrees that divide the layers are tried, and why less bubble may be slower is said") {
  const json run = json::parse(run_orrery("compare " + kScenario + "--schedules interleaved_1f1b --json").text);
  REQUIRE(run["results"].size() == 1);
  const auto chunks = run["results"][0]["virtual"].get<int>();
  const int layers = json::parse(run_orrery("check " + kScenario + "--json").text)["model"]["layers"].get<int>();
  const int pipeline = json::parse(run_orrery("check " + kScenario + "--json").text)["layout"]["pipeline"].get<int>();
  CHECK(layers % (chunks * pipeline) == 0);
  const json all = json::parse(run_orrery("compare " + kScenario + "--json").text);
  const Outcome text = run_orrery("compare " + kScenario);
  bool slower = false;
  for (const json& r : all["results"]) {
    const auto bubble = [](const json& x) {
      return x["bubble_fraction"].get<double>() * x["step_time_s"].get<double>();
    };
    slower = slower || bubble(r) < bubble(all["results"][0]);
  }
  CHECK(slower == (text.text.find(" less bubble than ") != std::string::npos));
}

TEST_CASE("--report writes a page of the comparison") {
  const Outcome page = run_orrery("compare " + kScenario + "--schedules 1f1b,gpipe --report " + kBuild +
                                  "/compare.html --force >/dev/null 2>&1; cat " + kBuild + "/compare.html");
  for (const char* part : {"<!doctype html>", "<h2>By rank</h2>", "<td>1f1b</td>", "<circle"})
    CHECK(page.text.find(part) != std::string::npos);
}

}  // namespace orrery::compare_test
