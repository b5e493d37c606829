// A validation as a page: predicted against measured, the groups, the worst rows.
#pragma once
#include "orrery/report/page.hpp"
#include "orrery/validation/validate.hpp"

namespace orrery::validation {

report::Page page_of(const Report& report);

}  // namespace orrery::validation
