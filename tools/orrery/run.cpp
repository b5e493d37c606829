// orrery run SCENARIO: simulates one training step and reports.
#include <algorithm>
#include <memory>

#include "orrery/core/file.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/validation/measured.hpp"
#include "progress.hpp"
#include "report_option.hpp"
#include "scenario_options.hpp"
#include "trace_output.hpp"

namespace orrery::cli {
namespace {

struct RunCommand {
  ScenarioOptions scenario;
  scenario::RunOptions run;
  bool json = false, audit = false, force = false, unfused = false, no_art = false;
  TraceChoice trace;
  std::string report;
  PlotOption plot;
};

// One stream holds one thing: a trace on standard output sends the report to stderr, JSON the books.
void say_results(const report::RunResult& run, const RunCommand& options, const Console& console) {
  const bool talk = is_standard_output(options.trace.path) || is_standard_output(options.plot.path);
  const auto out = [&](const std::string& text) { talk ? console.say(text) : console.print(text); };
  const bool terminal = !talk && console.is_terminal();
  const int width = std::min(100, terminal ? console.width() : 100);
  const bool art = terminal && !options.no_art && width >= 80;
  const bool color = talk ? console.color_err() : console.color_out();
  out(options.json ? report::to_json(run) : report::to_text(run, {color, width, console.verbosity > 0, art}));
  if (options.audit) (options.json ? console.say(report::books_text(run)) : out(report::books_text(run)));
}

int run_scenario(const RunCommand& options, const Console& console) {
  if (const Diagnostics wrong = check_trace(options.trace); !wrong.empty()) return console.refuse(wrong);
  if (const Diagnostics wrong = check_report(options.report, options.force); !wrong.empty())
    return console.refuse(wrong);
  Progress progress(console, "run");
  const auto phase = [&](std::string_view name) { progress.phase(name); };
  const Result<scenario::Run> ready =
      scenario::load_run(options.scenario.path, options.scenario.sets, Catalogue::shared(),
                         {.memory_limit = options.scenario.memory_limit, .phase = phase});
  progress.clear();
  if (!ready.ok()) return console.refuse(ready.errors());
  if (const Diagnostics wrong = check_plot(options.plot, options.force); !wrong.empty()) return console.refuse(wrong);
  Result<std::vector<report::HeldAgainst>> held = std::vector<report::HeldAgainst>();
  if (!options.report.empty()) held = validation::measured_runs_like(ready->scenario());
  if (!held.ok()) return console.refuse(held.errors());
  scenario::RunOptions how = options.run;
  how.record_links = !options.trace.path.empty();
  how.memory_limit = options.scenario.memory_limit;
  // What every rank is played for may take minutes, and so may the search for a schedule; else a run is over at once.
  const bool long_work = how.every_rank || ready->scenario().schedule.type == "zb_auto" ||
                         ready->scenario().network.mode == scenario::NetworkModeChoice::flows;
  if (long_work) how.phase = phase;
  const Result<report::RunResult> run = scenario::simulate(*ready, how);
  progress.clear();
  if (!run.ok()) return console.refuse(run.errors());
  for (const std::string& warning : run->warnings) console.say("warning: " + warning + "\n");
  if (!options.trace.path.empty())
    if (const int code = write_trace_files(*run, options.trace, options.force, console); code != kOk) return code;
  if (!options.report.empty())
    if (const int code = write_report(report::page_of(*run, *held), options.report, options.force, console);
        code != kOk)
      return code;
  if (!options.plot.path.empty())
    if (const int code = write_plot(options.plot, report::run_chart(*run, options.plot.chart), "--chart split",
                                    options.force, console);
        code != kOk)
      return code;
  say_results(*run, options, console);
  if (!run->books.empty()) {
    console.complain("orrery run: the books of this run do not balance: " + run->books.front());
    return kInternal;
  }
  return report::metrics_of(*run).fits() ? kOk : kNo;
}

}  // namespace

Action add_run(Arguments& app, const Console& console) {
  auto options = std::make_shared<RunCommand>();
  add_scenario_options(app, options->scenario);
  app.add_flag("--json", options->json, "one JSON object instead of the report");
  add_trace_options(app, options->trace);
  add_report_option(app, options->report);
  add_plot_option(app, options->plot, {report::kRunCharts.begin(), report::kRunCharts.end()});
  app.add_flag("--no-art", options->no_art, "no timeline and no bars of memory, on a terminal either");
  app.add_flag("--force", options->force, "replace existing files");
  app.add_flag("--audit", options->audit, "print the books that balance at the end of the run");
  app.add_flag("--every-rank", options->run.every_rank,
               "simulate each rank, not each class of alike ranks (same result, slower)");
  app.add_flag("--unfused", options->unfused, "one task per kernel, not per pass (same result, slower)");
  app.add_flag("--events", options->run.force_events,
               "play the events even where one pass would do (same result, slower)");
  app.footer(
      "Exit code: 0 the step fits, also where only cached memory that the allocator gives back makes room "
      "(\"verdict\":\n"
      "\"fits_by_releasing\"); 1 it does not fit; 2 the input is wrong; 3 a bug in Orrery.");
  return [options, &console] {
    options->run.fuse = !options->unfused;
    return run_scenario(*options, console);
  };
}

}  // namespace orrery::cli
