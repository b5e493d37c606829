// The critical path as a process of a trace: one row, a slice for each stretch of one kind of one operation.
#pragma once
#include "orrery/engine/critical_path.hpp"
#include "orrery/report/run_result.hpp"
#include "trace_slices.hpp"
#include "trace_writer.hpp"

namespace orrery::report {

using engine::PathStretch;
// Stretches of one kind of one operation joined; `task` is the first of them.
std::vector<PathStretch> stretches_of_path(const RunResult& run);
// "F", "all-reduce", "send activation", "launch".
std::string_view stretch_name(const RunResult& run, const PathStretch& stretch);

// As slices of one row.
DeviceSlices path_slices(const RunResult& run);
// Three events more than there are slices.
void write_path(const RunResult& run, const DeviceSlices& path, std::int64_t pid, TraceWriter& writer);

}  // namespace orrery::report
