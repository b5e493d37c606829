#include "report_option.hpp"

#include <filesystem>

#include "orrery/core/file.hpp"

namespace orrery::cli {

namespace {

Diagnostics check_new(const std::string& path, bool force) {
  std::error_code error;
  if (force || !std::filesystem::is_regular_file(path, error)) return {};
  Diagnostic d;
  d.place.file = path;
  d.message = "exists already", d.help = "--force overwrites it";
  return {d};
}

}  // namespace

void add_report_option(Arguments& app, std::string& path) {
  app.add_option("--report", path, "write a page to look at: FILE.html, by itself, opens in any browser");
}

Diagnostics check_report(const std::string& path, bool force) {
  if (path.empty()) return {};
  Diagnostic d;
  d.place.file = path;
  if (is_standard_output(path)) {
    d.message = "--report writes a page for a browser, which needs a file";
    d.help = "--report report.html";
    return {d};
  }
  return check_new(path, force);
}

void add_plot_option(Arguments& app, PlotOption& plot, const std::vector<std::string>& charts) {
  app.add_option("--plot", plot.path, "write one picture: FILE.svg (- for standard output)");
  if (charts.empty()) return;
  plot.chart = charts.front();
  app.add_option("--chart", plot.chart, "which one, default " + charts.front()).one_of(charts);
}

Diagnostics check_plot(const PlotOption& plot, bool force) {
  return is_standard_output(plot.path) ? Diagnostics() : check_new(plot.path, force);
}

int write_plot(const PlotOption& plot, const std::string& svg, const char* none, bool force, const Console& console) {
  if (plot.path.empty()) return kOk;
  if (svg.empty()) {
    Diagnostic d;
    d.path = "--plot", d.message = "there is no picture of this", d.help = none;
    return console.refuse({d});
  }
  const Diagnostics errors = write_file(plot.path, svg, force);
  return errors.empty() ? kOk : console.refuse(errors);
}

int write_report(const report::Page& page, const std::string& path, bool force, const Console& console) {
  if (const Diagnostics errors = write_file(path, report::to_html(page), force); !errors.empty())
    return console.refuse(errors);
  console.say("report: " + path + ": open it in a browser\n");
  return kOk;
}

}  // namespace orrery::cli
