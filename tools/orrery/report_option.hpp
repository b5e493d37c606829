// --report FILE.html: the page of what a command found.
#pragma once
#include <string>

#include "cli.hpp"
#include "orrery/report/page.hpp"

namespace orrery::cli {

void add_report_option(Arguments& app, std::string& path);
// Refused before the work begins: what is no file, or exists already.
Diagnostics check_report(const std::string& path, bool force);
// Writes the page and says where it is; an exit code.
int write_report(const report::Page& page, const std::string& path, bool force, const Console& console);

}  // namespace orrery::cli
