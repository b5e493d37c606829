// orrery validate FILE: holds the simulator against a table of measurements or of exact oracles.
#include "orrery/validation/validate.hpp"

#include <memory>

#include "cli.hpp"
#include "memory_limit.hpp"
#include "orrery/core/file.hpp"
#include "orrery/validation/page.hpp"
#include "progress.hpp"
#include "report_option.hpp"

namespace orrery::cli {
namespace {

struct ValidateCommand {
  std::string path;
  validation::Options options;
  std::string row, report;
  PlotOption plot;
  bool json = false, force = false;
  std::vector<std::string> fail_on;
};

int show_row(const ValidateCommand& command, const Console& console) {
  const Result<validation::Report> report = validation::validate_row(command.path, command.row, command.options);
  if (!report.ok()) return console.refuse(report.errors());
  console.print(command.json ? validation::to_json(*report) : validation::side_by_side(*report));
  return report->rows.front().why.empty() ? kOk : kNo;
}

std::string mechanism_help() {
  std::string text = "Mechanisms for --without:\n";
  for (const auto& [name, what] : validation::mechanism_names()) text += "  " + name + ": " + what + "\n";
  return text;
}

int validate(const ValidateCommand& command, const Console& console) {
  if (const Diagnostics wrong = check_report(command.report, command.force); !wrong.empty())
    return console.refuse(wrong);
  if (const Diagnostics wrong = check_plot(command.plot, command.force); !wrong.empty()) return console.refuse(wrong);
  std::vector<validation::Condition> conditions;
  for (const std::string& text : command.fail_on) {
    const Result<validation::Condition> condition = validation::parse_condition(text);
    if (!condition.ok()) return console.refuse(condition.errors());
    conditions.push_back(*condition);
  }
  if (!command.row.empty()) return show_row(command, console);
  Progress progress(console, "validate");
  validation::Options options = command.options;
  options.progress = [&](std::size_t done, std::size_t rows) { progress.update(done, rows, "rows"); };
  const Result<validation::Report> report = validation::validate_file(command.path, options);
  progress.clear();
  if (!report.ok()) return console.refuse(report.errors());
  const std::string text = command.json ? validation::to_json(*report) : validation::to_text(*report);
  is_standard_output(command.plot.path) ? console.say(text) : console.print(text);
  if (!command.plot.path.empty())
    if (const int written =
            write_plot(command.plot, validation::chart_of(*report),
                       "a table of measured runs has one: predicted against measured", command.force, console);
        written != kOk)
      return written;
  int code = kOk;
  if (!command.report.empty())
    if (const int written = write_report(validation::page_of(*report), command.report, command.force, console);
        written != kOk)
      return written;
  if (report->nothing_predicted()) {
    console.complain("orrery validate: no row was predicted");
    code = kNo;
  }
  for (const validation::Condition& condition : conditions) {
    const Result<bool> failed = validation::holds(condition, *report);
    if (!failed.ok()) {
      if (report->nothing_predicted()) continue;  // that is why
      return console.refuse(failed.errors());
    }
    if (!*failed) continue;
    console.complain("orrery validate: " + condition.text + " holds");
    code = kNo;
  }
  return code;
}

}  // namespace

Action add_validate(Arguments& app, const Console& console) {
  auto command = std::make_shared<ValidateCommand>();
  app.add_option("FILE", command->path, "table of runs, schedules, collectives or kernels (CSV), or cases of flows")
      .required();
  app.add_flag("--json", command->json, "one JSON object instead of the tables");
  add_report_option(app, command->report);
  add_plot_option(app, command->plot, {});
  app.add_flag("--force", command->force, "replace an existing report or picture");
  app.add_option("--fail-on", command->fail_on,
                 "end with 1 if CONDITION holds, any number of times: [GROUP:][FIGURE.]STATISTIC OPERATOR NUMBER, as "
                 "in mape>0.15, "
                 "nanotron:mape>0.1, bloom:peak_memory_gib.bias<-0.1, refused>0, unequal>0")
      .repeated();
  app.add_option("--by", command->options.by,
                 "group the rows by COLUMN, or by COLUMN,COLUMN… together, in place of the usual groups; any number of "
                 "times")
      .repeated();
  app.add_option("--row", command->row,
                 "runs: play row ID and those most like it alone, and show where time and memory go");
  app.add_option("--without", command->options.without, "runs: play them without MECHANISM, any number of times")
      .repeated();
  app.add_option("--expected", command->options.expected, "flows: file of the expected completions");
  app.add_option("--threads", command->options.threads, "rows evaluated at once, default all processors (same result)")
      .range(1, 1024);
  add_memory_limit(app, command->options.memory_limit);
  app.footer(mechanism_help());
  return [command, &console] { return validate(*command, console); };
}

}  // namespace orrery::cli
