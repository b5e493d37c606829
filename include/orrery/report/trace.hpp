// The timeline as a Chrome trace (JSON object form) for chrome://tracing, Perfetto, speedscope and DevTools.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/report/run_result.hpp"

namespace orrery::report {

// Of a Program of several steps all are shown, the last is the one reported; an instant marks the end of each.
//
// One process a device, by stage, named after its ranks, stage, node and GPU; rows: its passes (F, B, I, W, …, whole),
// the work inside them (compute), each kind of communication, the host, and its waits with their causes; a row on which
// things overlap gets further rows. Names are constant, numbers are arguments. Arrows follow the messages of the
// pipeline; counters show the memory by class and, where the links were recorded, how much of each level of them is in
// use; the critical path is a process of its own. Times are whole nanoseconds: start and end are rounded each, so that
// what follows without a gap in picoseconds does so in the trace.
enum class TraceDetail : std::uint8_t {
  step,       // all passes of a rank as one slice, and what the step ends with
  stage,      // each pass, message and collective
  layer,      // and the work and the calls inside the passes, layer by layer
  operators,  // kernel by kernel
};
inline constexpr std::array<std::string_view, 4> kTraceDetailNames{"step", "stage", "layer", "operator"};

// Chrome: one file. Kineto: one a rank, as PyTorch's profiler writes it and HolisticTraceAnalysis reads it.
enum class TraceFormat : std::uint8_t { chrome, kineto };
inline constexpr std::array<std::string_view, 2> kTraceFormatNames{"chrome", "kineto"};

struct TraceOptions {
  TraceDetail detail = TraceDetail::stage;
  std::vector<program::DeviceIndex> devices = {};  // empty = one a stage
  std::int64_t most_events = 1'000'000;            // beyond: devices are left out, last first; the summary says so
};

// Which devices "0,8-15", "one-per-stage" or "all" stand for; each once, by stage and rank.
Result<std::vector<program::DeviceIndex>> trace_devices(const RunResult& run, std::string_view ranks);

struct TraceSummary {
  std::int64_t events = 0;
  std::vector<std::int32_t> ranks = {};  // shown: the first of each device
  std::int64_t devices_left_out = 0;     // for want of events
};
// Calls write with consecutive parts of the text, of some 64 KiB; the whole is never in memory.
TraceSummary write_trace(const RunResult& run, const TraceOptions& options,
                         const std::function<void(std::string_view)>& write);

// One rank's own file in Kineto's layout: its kernels on the streams of its GPU.
TraceSummary write_kineto(const RunResult& run, program::DeviceIndex device,
                          const std::function<void(std::string_view)>& write);

}  // namespace orrery::report
