// The timeline as a Chrome trace (JSON object form) for chrome://tracing, Perfetto, speedscope and DevTools.
#pragma once
#include <functional>
#include <string_view>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

// Of a Program of several steps all are shown, the last is the one reported; an instant marks the end of each.
// One process a device (named after its ranks), one thread a lane in use; a lane on which things overlap gets further
// rows. Operations are slices on the compute lane, messages and collectives on theirs; arrows follow the messages of
// the pipeline; counters show the memory by class and, where the links were recorded, how much of
// each level of them is in use. Times are whole nanoseconds: start and end are rounded each, so that
// what follows without a gap in picoseconds does so in the trace.
struct TraceOptions {
  std::int64_t most_events = 1'000'000;  // beyond: devices are left out, last first, and the summary says so
  bool inner = false;                    // what an operation is made of, as slices nested in it
};
struct TraceSummary {
  std::int64_t events = 0, devices = 0, devices_left_out = 0;
};
// Calls write with consecutive parts of the text, of some 64 KiB; the whole is never in memory.
TraceSummary write_trace(const RunResult& run, const TraceOptions& options,
                         const std::function<void(std::string_view)>& write);

}  // namespace orrery::report
