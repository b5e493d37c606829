// A validation as a page: predicted against measured, the groups, the worst rows.
#pragma once
#include "orrery/report/page.hpp"
#include "orrery/validation/validate.hpp"

namespace orrery::validation {

report::Page page_of(const Report& report);
// Predicted against measured of each figure, side by side, as SVG; empty where there is nothing measured.
std::string chart_of(const Report& report);

}  // namespace orrery::validation
