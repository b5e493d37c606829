// The options of a trace, and its files.
#pragma once
#include <string>

#include "cli.hpp"
#include "orrery/report/trace.hpp"

namespace orrery::cli {

struct TraceChoice {
  std::string path;  // empty: no trace
  std::string format = "chrome", detail = "stage", ranks = "one-per-stage";
  std::int64_t most_events = 1'000'000;
};
void add_trace_options(Arguments& app, TraceChoice& choice);

// What is wrong with the options by themselves, before anything is simulated.
Diagnostics check_trace(const TraceChoice& choice);
// Writes it and says on stderr what it shows and how to open it; an exit code.
int write_trace_files(const report::RunResult& run, const TraceChoice& choice, bool force, const Console& console);

}  // namespace orrery::cli
