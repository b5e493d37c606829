// A sweep as a page: the trade-off, tensor × pipeline, scaling, the best, what was left out.
#pragma once
#include <vector>

#include "orrery/report/page.hpp"
#include "orrery/sweep/sweep.hpp"

namespace orrery::cli {

// `rows`: every point that the sweep told of.
report::Page sweep_page(const sweep::Outcome& outcome, const std::vector<sweep::Row>& rows, const std::string& title);

}  // namespace orrery::cli
