// Whole outputs of a run made by hand, each in a file that a person has read or looked at: text at three widths, plain
// and with pictures, the page, pictures, traces of both formats.
#include "golden.hpp"

#include <doctest/doctest.h>

#include "example.hpp"
#include "orrery/report/page.hpp"
#include "orrery/report/trace.hpp"

namespace orrery::report::golden_test {

namespace {

void check(const std::string& file, const std::string& text) {
  orrery::testing::check_golden("tests/report/golden/" + file, text, [](const std::string& was, const std::string& is) {
    return orrery::testing::updates_golden() ? std::string() : "was:\n" + was + "is:\n" + is;
  });
}

// Three stages of unlike ranks on two nodes, something wrong, something slow, a note.
RunResult run_of() {
  RunResult run = testing::run_example({.ranks = 3, .micro_batches = 4});
  run.setting = "ZeRO-1 · full recompute · bf16";
  run.parameters = 1'300'000'000;
  run.placement = {"by_rail", layout::for_each_dimension(2), {0, 1, 8}, 8};
  run.warnings = {"this schedule runs at a loss"};
  run.notes = {"of interest to developers", "of interest to all"};
  run.simulation_notes = 1;
  run.sources = {{"model toy", "nowhere"}};
  run.shared = {
      {program::Category::data_comm, Collective::all_reduce, 2, 1, hardware::LinkLevel::leaf, "leaf0->spine1", 4},
      {program::Category::pipeline_comm, Collective::send_receive, 1.1, 1, hardware::LinkLevel::nic, "", 0}};
  run.link_use = {{hardware::LinkLevel::nic, 0.25, {{0, 0.5}, {5'000'000'000, 0.125}}}};
  run.varied = VariedSteps{100,
                           0.015,
                           0.01,
                           16,
                           {16'000'000'000},
                           {17'000'000'000},
                           {18'000'000'000},
                           {19'000'000'000},
                           {{1, 0.75}, {0, 0.25}}};
  run.long_run = reliability::Plan{{{{1e-5, 600, true}}, 1000, 10, 20, 1, 3600}, 10, false, false, 30};
  return run;
}

std::string trace_of(const RunResult& run, TraceDetail detail) {
  std::string text;
  TraceOptions options;
  options.detail = detail;
  write_trace(run, options, [&](std::string_view part) { text += part; });
  return text;
}

}  // namespace

TEST_CASE("the report as text, at three widths") {
  const RunResult run = run_of();
  for (const int width : {50, 80, 120})
    check("run_" + std::to_string(width) + ".txt",
          to_text(run, {.colour = false, .width = width, .verbose = width > 80, .art = width > 50}));
  check("run_colour.txt", to_text(run, {.colour = true, .width = 100, .art = true}));
}

TEST_CASE("the report as JSON, as a page and as pictures") {
  const RunResult run = run_of();
  check("run.json", to_json(run));
  Page page = page_of(run, {{"row-1", "toy, 3 GPUs", 0.05}});
  page.script.clear();  // of the timeline, which browsers are asked to run
  std::string html = to_html(page);
  html.erase(html.find("<footer>"), html.find("</footer>") - html.find("<footer>"));  // of this build
  check("run.html", html);
  for (const char* chart : {"timeline", "split", "waterfall", "memory"})
    check(std::string(chart) + ".svg", run_chart(run, chart));
}

TEST_CASE("traces in both formats") {
  const RunResult run = run_of();
  check("trace_stage.json", trace_of(run, TraceDetail::stage));
  check("trace_step.json", trace_of(run, TraceDetail::step));
  std::string text;
  for (const program::DeviceIndex device : {0, 2})
    write_kineto(run, device, [&](std::string_view part) { text += part; });
  check("kineto.json", text);
}

}  // namespace orrery::report::golden_test
