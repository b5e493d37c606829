#include "report_option.hpp"

#include <filesystem>

#include "orrery/core/file.hpp"

namespace orrery::cli {

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
  std::error_code error;
  if (force || !std::filesystem::is_regular_file(path, error)) return {};
  d.message = "exists already", d.help = "--force overwrites it";
  return {d};
}

int write_report(const report::Page& page, const std::string& path, bool force, const Console& console) {
  if (const Diagnostics errors = write_file(path, report::to_html(page), force); !errors.empty())
    return console.refuse(errors);
  console.say("report: " + path + ": open it in a browser\n");
  return kOk;
}

}  // namespace orrery::cli
