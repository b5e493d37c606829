// Traces and pages as a user writes them: files, what is said of them, and what is refused.
#include <nlohmann/json.hpp>
#include <set>

#include "orrery/core/gzip.hpp"
#include "program.hpp"

namespace orrery::trace_test {

using orrery::testing::kOrrery;
using orrery::testing::kScenarios;
using orrery::testing::kSource;
using orrery::testing::Outcome;
using orrery::testing::run_in;
using orrery::testing::run_orrery;

namespace {

const std::string kQuick = kScenarios + "quickstart-16gpu.yaml ";

Outcome in_trace_folder(const std::string& script) {
  return run_in("trace_test", script);
}

}  // namespace

TEST_CASE("a trace says what it shows, how large it is and how to open it") {
  const Outcome plain = in_trace_folder(kOrrery + "run " + kQuick + "--trace t.json >/dev/null");
  CHECK(plain.code == 0);
  CHECK(plain.text.starts_with("trace: t.json: "));
  CHECK(plain.text.find(" events of ranks 0, 4, 8 and 12, one a stage (--trace-ranks all: every one), ") !=
        std::string::npos);
  CHECK(plain.text.find("trace: open it at https://ui.perfetto.dev (nothing leaves the browser) or in "
                        "chrome://tracing\n") != std::string::npos);
  CHECK(in_trace_folder(kOrrery + "-q run " + kQuick + "--trace t.json >/dev/null").text.empty());
}

TEST_CASE("FILE.json.gz is compressed, and the same trace") {
  const Outcome plain =
      in_trace_folder(kOrrery + "run " + kQuick + "--trace t.json >/dev/null 2>/dev/null; cat t.json");
  const Outcome packed =
      in_trace_folder(kOrrery + "run " + kQuick + "--trace t.json.gz >/dev/null 2>/dev/null; cat t.json.gz");
  REQUIRE(orrery::is_gzip(packed.text));
  const auto text = orrery::gunzip(packed.text, "t.json.gz", 1 << 28);
  REQUIRE(text.ok());
  CHECK(*text == plain.text);
  CHECK(packed.text.size() * 6 < plain.text.size());
}

TEST_CASE("more detail is more events; every rank is there where it is asked for") {
  std::size_t before = 0;
  for (const char* detail : {"step", "stage", "layer", "operator"}) {
    const Outcome trace = run_orrery("run " + kQuick + "--trace - --trace-detail " + detail + " 2>/dev/null");
    const auto json = nlohmann::json::parse(trace.text);
    CHECK(json["otherData"]["detail"] == detail);
    CHECK(json["traceEvents"].size() > before);
    before = json["traceEvents"].size();
  }
  const auto all =
      nlohmann::json::parse(run_orrery("run " + kQuick + "--every-rank --trace - --trace-ranks all 2>/dev/null").text);
  std::size_t ranks = 0;
  for (const auto& e : all["traceEvents"])
    ranks += e["name"] == "process_name" && e["args"]["name"].get<std::string>().starts_with("stage ") ? 1 : 0;
  CHECK(ranks == 16);
}

// Readers' rules of HolisticTraceAnalysis: a blank behind "rank":, a stream and a correlation of each kernel, its
// launch, nccl in the names of what communicates, and a ProfilerStep.
TEST_CASE("kineto writes a file a rank that readers of PyTorch's profiler take") {
  const Outcome made =
      in_trace_folder(kOrrery + "run " + kQuick + "--trace k --trace-format kineto --trace-ranks 0,5 >/dev/null; ls k");
  CHECK(made.text.find("rank-0.json.gz\nrank-5.json.gz\n") != std::string::npos);
  CHECK(made.text.find("HolisticTraceAnalysis reads the folder: TraceAnalysis(trace_dir=\"k\")") != std::string::npos);
  const Outcome file = in_trace_folder(kOrrery + "run " + kQuick +
                                       "--trace k --trace-format kineto >/dev/null 2>/dev/null; zcat k/rank-4.json.gz");
  CHECK(file.text.find("\"rank\": 4,") != std::string::npos);
  const auto json = nlohmann::json::parse(file.text);
  CHECK(json["schemaVersion"] == 1);
  CHECK(json["distributedInfo"]["world_size"] == 16);
  std::set<std::int64_t> kernels, launches, streams;
  std::size_t steps = 0, nccl = 0;
  for (const auto& e : json["traceEvents"]) {
    if (e["ph"] != "X") continue;
    CHECK(e.contains("cat"));
    CHECK(e["dur"].get<double>() > 0);
    steps += e["name"] == "ProfilerStep#0" ? 1 : 0;
    if (e["cat"] == "cuda_runtime") launches.insert(e["args"]["correlation"].get<std::int64_t>());
    if (e["cat"] != "kernel") continue;
    kernels.insert(e["args"]["correlation"].get<std::int64_t>());
    streams.insert(e["args"]["stream"].get<std::int64_t>());
    const bool moves = e["name"].get<std::string>().starts_with("nccl");
    CHECK(moves == e["args"].contains("Collective name"));
    nccl += moves ? 1 : 0;
    CHECK(e["pid"] == 4);  // the GPU of its node
    CHECK(e["tid"] == e["args"]["stream"]);
  }
  CHECK(steps == 1);
  CHECK(kernels == launches);
  CHECK(kernels.size() > 1000);
  CHECK(nccl > 0);
  CHECK(streams.size() >= 3);
}

TEST_CASE("what a trace or a page cannot be is refused, with what it can") {
  const auto refused = [&](const std::string& arguments, const std::string& text) {
    CAPTURE(arguments);
    const Outcome outcome =
        in_trace_folder("touch there.json there.html; " + kOrrery + "run " + kQuick + arguments + " >/dev/null");
    CHECK(outcome.code == 2);
    CHECK(outcome.text == text);
  };
  const std::string ranks = "\n  help: ranks and ranges of them, one-per-stage or all: --trace-ranks 0,8-15\n";
  refused("--trace t.json --trace-ranks 99", "--trace-ranks: there is no rank 99: the run has ranks 0 to 15" + ranks);
  refused("--trace t.json --trace-ranks x", "--trace-ranks: expected a rank, got 'x'" + ranks);
  refused("--trace t.json --trace-format kineto",
          "t.json: --trace-format kineto writes one file a rank, so --trace must name a folder\n"
          "  help: `--trace traces` makes the folder traces\n");
  refused("--trace - --trace-format kineto",
          "-: --trace-format kineto writes one file a rank, so --trace must name a folder\n"
          "  help: `--trace traces` makes the folder traces\n");
  refused("--trace there.json", "there.json: exists already\n  help: --force overwrites it\n");
  refused("--report -", "-: --report writes a page for a browser, which needs a file\n  help: --report report.html\n");
  refused("--plot there.json", "there.json: exists already\n  help: --force overwrites it\n");
  refused("--report there.html", "there.html: exists already\n  help: --force overwrites it\n");
  CHECK(in_trace_folder(kOrrery + "run " + kQuick + "--trace t.json --trace-detail kernel").code == 2);
}

TEST_CASE("--report writes a page of a run, a sweep and a validation") {
  const Outcome run = in_trace_folder(kOrrery + "run " + kQuick + "--report r.html >/dev/null; head -c 15 r.html");
  CHECK(run.text == "report: r.html: open it in a browser\n<!doctype html>");
  const Outcome sweep = in_trace_folder(
      kOrrery + "sweep " + kScenarios +
      "quickstart-8gpu.yaml --space \"tensor=1,2,4; pipeline=1,2\" --report s.html >/dev/null 2>/dev/null; cat s.html");
  for (const char* part : {"Step time against memory", "Best step time, s", "Every layout that was played",
                           "<h2>The best</h2>", "<circle"})
    CHECK(sweep.text.find(part) != std::string::npos);
  const Outcome validation =
      in_trace_folder(kOrrery + "validate " + kSource +
                      "/tests/data/validation/runs_sample.csv --report v.html >/dev/null 2>/dev/null; cat v.html");
  for (const char* part : {"Validation: ", "step_time_s: the worst rows", "measured"})
    CHECK(validation.text.find(part) != std::string::npos);
}

TEST_CASE("validate draws predicted against measured") {
  const Outcome drawn = run_orrery("validate tests/data/validation/runs_sample.csv --plot - 2>/dev/null");
  CHECK(drawn.text.starts_with("<svg "));
  CHECK(drawn.text.find("step_time_s") != std::string::npos);
}

}  // namespace orrery::trace_test
