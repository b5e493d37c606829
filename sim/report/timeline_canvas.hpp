// The timeline of a page: bars on a canvas, for it may have tens of thousands, to zoom and to point at.
#pragma once
#include <string>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

std::string timeline_html(const RunResult& run);
std::string timeline_script();

}  // namespace orrery::report
