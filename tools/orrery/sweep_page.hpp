// A sweep as a page: the trade-off, tensor × pipeline, scaling, the best, what was left out.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/report/page.hpp"
#include "orrery/sweep/sweep.hpp"

namespace orrery::cli {

inline constexpr std::array<const char*, 4> kSweepCharts{"pareto", "heat", "parallel", "scaling"};
// One of its pictures as SVG; empty where the space has none: heat needs tensor and pipeline, scaling several numbers
// of GPUs, all of them a layout that was played.
std::string sweep_chart(const sweep::Outcome& outcome, const std::vector<sweep::Row>& rows, std::string_view name);

double step_seconds(const sweep::Row& row);

// `rows`: every point that the sweep told of.
report::Page sweep_page(const sweep::Outcome& outcome, const std::vector<sweep::Row>& rows, const std::string& title);

}  // namespace orrery::cli
