// An answer of planning as a page: its figures, tables, picture and notes.
#pragma once
#include "orrery/core/catalogue.hpp"
#include "orrery/planning/answer.hpp"
#include "orrery/report/page.hpp"

namespace orrery::planning {

report::Page page_of(const Answer& answer, Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::planning
