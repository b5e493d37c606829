// Pictures of a run, as SVG.
#pragma once
#include <string>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

std::string waterfall_svg(const RunResult& run);
std::string split_svg(const RunResult& run);      // of the time, a bar a place in the pipeline
std::string staircase_svg(const RunResult& run);  // the passes, a row a place in the pipeline
std::string memory_svg(const RunResult& run);     // over time by class, a panel a place in the pipeline

// A device for each place in the pipeline: the first.
std::vector<program::DeviceIndex> one_a_stage(const RunResult& run);

}  // namespace orrery::report
