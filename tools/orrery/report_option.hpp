// --report FILE.html: the page of what a command found.
#pragma once
#include <string>
#include <vector>

#include "cli.hpp"
#include "orrery/report/page.hpp"

namespace orrery::cli {

void add_report_option(Arguments& app, std::string& path);
// --plot FILE.svg and which picture: --chart, one of `charts` (none: there is but one), the first by default.
struct PlotOption {
  std::string path, chart;
};
void add_plot_option(Arguments& app, PlotOption& plot, const std::vector<std::string>& charts);
Diagnostics check_plot(const PlotOption& plot, bool force);
// An empty picture is refused with `none`: why there is none, and what to do.
int write_plot(const PlotOption& plot, const std::string& svg, const char* none, bool force, const Console& console);
// Refused before the work begins: what is no file, or exists already.
Diagnostics check_report(const std::string& path, bool force);
// Writes the page and says where it is; an exit code.
int write_report(const report::Page& page, const std::string& path, bool force, const Console& console);

}  // namespace orrery::cli
