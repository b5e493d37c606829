// Two steps side by side, kernel by kernel of one rank a stage: of runs, or of traces that PyTorch's profiler made.
#pragma once
#include <string>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/report/run_result.hpp"

namespace orrery::report {

// As HolisticTraceAnalysis tells them apart: by the name of the kernel.
enum class KernelKind : std::uint8_t { compute, communication, memory };
KernelKind kernel_kind(std::string_view name);

struct TracedKernel {
  std::string name;
  KernelKind kind = KernelKind::compute;
  std::int64_t begin = 0, end = 0;  // ns
};
struct TracedRank {
  std::string from;  // the scenario or the file
  std::int32_t rank = 0, stage = -1;
  int steps = 1;  // that the kernels are of
  std::vector<TracedKernel> kernels = {};
};

// Of a run: one rank a stage, its kernels and calls.
std::vector<TracedRank> traced(const RunResult& run, const std::string& from);
// Of a file of Kineto's, gzip or not: the kernels launched in its steps; of several steps the last is left out, for its
// kernels may be cut off.
Result<TracedRank> read_kineto(const std::string& path);

// Times of a step, ns: of the union of the kernels of a kind, of where compute and communication run together, of
// communication alone, of nothing.
struct TraceFigures {
  double span = 0, compute = 0, communication = 0, memory = 0, overlap = 0, exposed = 0, idle = 0;
};
TraceFigures figures_of(const TracedRank& rank);

// Stage by stage (rank by rank) the figures of both and the ten largest differences by kernel. Ranks that only one side
// has are errors.
Result<std::string> diff_text(const std::vector<TracedRank>& a, const std::vector<TracedRank>& b);
Result<std::string> diff_json(const std::vector<TracedRank>& a, const std::vector<TracedRank>& b);

}  // namespace orrery::report
