// The parts of the text report, each as lines.
#pragma once
#include <string>
#include <vector>

#include "format.hpp"
#include "orrery/report/run_result.hpp"

namespace orrery::report {

// Where the time went: a bar over all ranks, and its legend.
std::vector<std::string> time_bar(const Metrics& m, const TextStyle& style);

// What limits the run: the memory where it does not fit; what is slow, named with what it costs; else what takes most
// of the critical path beside the arithmetic of the model, or what all wait for.
std::string what_limits(const RunResult& run, const Metrics& m);

// The passes over the step, a row a place in the pipeline, and what the fullest GPU of each holds.
std::vector<std::string> timeline_art(const RunResult& run, const TextStyle& style);
std::vector<std::string> memory_art(const RunResult& run, const TextStyle& style);

// [device] Most forward passes whose backward has not ended: activations held, in chunks.
std::vector<int> peak_in_flight(const RunResult& run);

// One row a stage, grouped by the ranks that hold it. Columns are left out where the width is small.
std::vector<std::string> stage_table(const RunResult& run, const TextStyle& style);

}  // namespace orrery::report
