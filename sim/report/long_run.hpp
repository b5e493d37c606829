// What many such steps are: of unlike GPUs, and with failures; for text and JSON.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

std::string varied_text(const RunResult& run);
std::string long_run_text(const reliability::Plan& plan);
// In the order of the JSON document.
std::vector<std::pair<std::string, double>> long_run_figures(const reliability::Plan& plan);

}  // namespace orrery::report
