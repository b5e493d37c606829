// The timeline as a Chrome trace (JSON object form) for chrome://tracing, Perfetto, speedscope and DevTools.
#pragma once
#include <functional>
#include <string_view>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

struct TraceOptions {
  std::int64_t most_events = 1'000'000;  // beyond: devices are left out, last first, and the summary says so
};
struct TraceSummary {
  std::int64_t events = 0, devices = 0, devices_left_out = 0;
};
// Calls write with consecutive parts of the text.
TraceSummary write_trace(const RunResult& run, const TraceOptions& options, const std::function<void(std::string_view)>& write);

}  // namespace orrery::report
