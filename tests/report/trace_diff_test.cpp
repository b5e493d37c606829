#include "orrery/report/trace_diff.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "example.hpp"
#include "orrery/core/gzip.hpp"
#include "orrery/report/trace.hpp"
#include "paths.hpp"

namespace orrery::report::trace_diff_test {

namespace {

std::string data(const std::string& name) {
  return orrery::testing::source_dir() + "/tests/data/trace/" + name;
}

// A file of its own for a test.
std::string file_of(const std::string& name, const std::string& bytes) {
  const std::string path = (std::filesystem::temp_directory_path() / name).string();
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string error_of(const std::string& path) {
  const auto rank = read_kineto(path);
  REQUIRE(!rank.ok());
  std::string text = render(rank.errors());
  if (text.starts_with(path)) text.erase(0, path.size());
  return text;
}

const std::string kKernel =
    R"({"ph":"X","cat":"kernel","name":"gemm","pid":0,"tid":7,"ts":10,"dur":5,"args":{"correlation":1,"stream":7}})";

}  // namespace

// What HolisticTraceAnalysis f4d0062 reports of this trace: 2912 us of the first two of its three steps, 2548 compute,
// 240 communication, of them 72 beside compute, 196 idle.
TEST_CASE("a measured trace is read as HolisticTraceAnalysis reads it") {
  const auto rank = read_kineto(data("synthetic_llm_rank0.json.gz"));
  REQUIRE_MESSAGE(rank.ok(), render(rank.errors()));
  CHECK(rank->rank == 0);
  CHECK(rank->steps == 2);
  const TraceFigures f = figures_of(*rank);
  CHECK(f.span == doctest::Approx(2912e3 / 2));
  CHECK(f.compute == doctest::Approx(2548e3 / 2));
  CHECK(f.communication == doctest::Approx(240e3 / 2));
  CHECK(f.overlap == doctest::Approx(72e3 / 2));
  CHECK(f.exposed == doctest::Approx(168e3 / 2));
  CHECK(f.idle == doctest::Approx(196e3 / 2));
}

TEST_CASE("kernels are told apart by their names") {
  CHECK(kernel_kind("ncclDevKernel_AllReduce_Sum_bf16_RING_LL") == KernelKind::communication);
  CHECK(kernel_kind("void ncclKernel_x") == KernelKind::communication);
  CHECK(kernel_kind("Memcpy DtoD (Device -> Device)") == KernelKind::memory);
  CHECK(kernel_kind("Memset (Device)") == KernelKind::memory);
  CHECK(kernel_kind("nvjet_hsh_128x256") == KernelKind::compute);
}

// Compute [0, 10) and [20, 30), communication [5, 25): 20, 20, overlap 10, alone 10, nothing idle of 30; in two steps.
TEST_CASE("overlap and exposed communication are of unions") {
  TracedRank rank{"x", 0, -1, 2};
  rank.kernels = {{"a", KernelKind::compute, 0, 10},
                  {"b", KernelKind::compute, 20, 30},
                  {"b", KernelKind::compute, 22, 28},
                  {"c", KernelKind::communication, 5, 25},
                  {"d", KernelKind::memory, 29, 32}};
  const TraceFigures f = figures_of(rank);
  CHECK(f.span == 16);
  CHECK(f.compute == 10);
  CHECK(f.communication == 10);
  CHECK(f.memory == 1.5);
  CHECK(f.overlap == 5);
  CHECK(f.exposed == 5);
  CHECK(f.idle == 0);
}

TEST_CASE("a run is read from its own trace as it is from its timeline") {
  RunResult run = report::testing::run_example({.ranks = 2, .micro_batches = 4});
  std::string text;
  write_kineto(run, 1, [&](std::string_view part) { text += part; });
  const auto rank = read_kineto(file_of("own.json", text));
  REQUIRE_MESSAGE(rank.ok(), render(rank.errors()));
  CHECK(rank->rank == 1);
  CHECK(rank->steps == 1);
  const std::vector<TracedRank> known = traced(run, "the run");
  REQUIRE(known.size() == 2);
  const TraceFigures read = figures_of(*rank), made = figures_of(known[1]);
  CHECK(read.compute == doctest::Approx(made.compute));
  CHECK(read.exposed == doctest::Approx(made.exposed));
  CHECK(read.span == doctest::Approx(made.span));
  CHECK(made.compute == 12e6);  // 4 · (1 + 2) ms
}

// F twice as long: 4 ms more of compute on each stage.
TEST_CASE("two runs are compared stage by stage") {
  const RunResult a = report::testing::run_example(),
                  b = report::testing::run_example({.forward = {2 * report::testing::kMillisecond}});
  const auto text = diff_text(traced(a, "one.yaml"), traced(b, "two.yaml"));
  REQUIRE(text.ok());
  CHECK(text->starts_with("A: one.yaml\nB: two.yaml\n\nstage 0 (rank 0) and stage 0 (rank 0)\n"));
  const auto has = [&](const std::string& line) { return text->find(line) != std::string::npos; };
  CHECK(has(fmt::format("  {:<24}{:>12}{:>12}{:>10}\n", "compute", "12.00 ms", "16.00 ms", "+33.3 %")));
  CHECK(has(fmt::format("    {:<40}{:>12}{:>12}{:>10}\n", "operation", "12.00 ms", "16.00 ms", "+33.3 %")));
  const auto json = diff_json(traced(a, "one.yaml"), traced(b, "two.yaml"));
  REQUIRE(json.ok());
  const auto parsed = nlohmann::json::parse(*json);
  CHECK(parsed["pairs"].size() == 2);
  CHECK(parsed["pairs"][1]["b"]["compute_s"].get<double>() == doctest::Approx(0.016));
  CHECK(parsed["pairs"][0]["differences"][0]["kernel"] == "operation");
}

TEST_CASE("traces of other ranks are not compared") {
  const RunResult run = report::testing::run_example();
  const auto measured = read_kineto(data("synthetic_llm_rank0.json.gz"));
  REQUIRE(measured.ok());
  TracedRank other = *measured;
  other.rank = 5;
  const auto wrong = diff_text({*measured}, {other});
  REQUIRE(!wrong.ok());
  const std::string text = render(wrong.errors());
  CHECK(text.find("is of rank 0, ") != std::string::npos);
  CHECK(text.find("of rank 5: nothing to compare\n  help: take traces of the same rank; of a run, the first rank of a "
                  "stage\n") != std::string::npos);
  CHECK(diff_text(traced(run, "run.yaml"), {*measured}).ok());  // rank 0 is there
}

TEST_CASE("what is no trace of steps is refused by what it lacks") {
  CHECK(error_of(data("cpu_only_rank34.json.gz")) ==
        ": has no kernels: it was made without a GPU\n  help: record ProfilerActivity.CUDA too: "
        "torch.profiler.profile(activities=[CPU, CUDA])\n");
  CHECK(error_of(file_of("to_look_at.json", R"({"otherData": {"generator": "orrery"}, "traceEvents": []})")) ==
        ": is a trace to look at, one process a rank, and has no kernels of one rank\n  help: compare what `orrery run "
        "--trace FOLDER --trace-format kineto` writes, or give the scenario itself\n");
  CHECK(
      error_of(file_of("no_steps.json", "{\"traceEvents\": [" + kKernel + "]}")) ==
      ": has no steps (ProfilerStep)\n  help: call the profiler's step() behind each training step, or let `orrery run "
      "--trace-format kineto` write the trace\n");
  CHECK(error_of(file_of("none.json", "{\"a\": 1}")) ==
        ": is no trace: it has no list traceEvents\n  help: take what PyTorch's profiler or `orrery run --trace-format "
        "kineto` writes\n");
  CHECK(error_of(file_of("cut.json", "{\"traceEvents\": [")) ==
        ": is no JSON: it may be cut off\n  help: write or copy it again\n");
  std::string packed;
  GzipWriter gzip([&](std::string_view out) { packed += out; });
  gzip.write("{\"traceEvents\": [" + kKernel + "]}");
  gzip.close();
  CHECK(error_of(file_of("cut.json.gz", packed.substr(0, packed.size() - 4))) ==
        ": the gzip ends before its end: the file is truncated; write or copy it again\n");
  CHECK(error_of("/nowhere/t.json") == ": cannot be opened: No such file or directory\n");
  const std::string step = R"(,{"ph":"X","cat":"user_annotation","name":"ProfilerStep#0","ts":100,"dur":5})";
  CHECK(error_of(file_of("outside.json", "{\"traceEvents\": [" + kKernel + step + "]}")) ==
        ": has no kernels in its steps\n  help: wait for the GPU (torch.cuda.synchronize) before the profiler's "
        "step()\n");
}

}  // namespace orrery::report::trace_diff_test
