// All that is known about a run once it has been played: what the tables, the JSON and the trace are made from.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "orrery/engine/account.hpp"
#include "orrery/program/lower.hpp"

namespace orrery::report {

// Where the ranks run, and over how many scale-up domains (NVLink; mostly a node) the groups of each kind reach at
// most.
struct PlacementResult {
  std::string type = "packed";
  int tensor_domains = 1, context_domains = 1, data_domains = 1, pipeline_domains = 1;
};

struct RunResult {
  // What ran.
  std::string title;          // one line: model, GPUs, layout, schedule
  std::string scenario_json;  // the resolved scenario, every default written out
  std::string network_mode;   // ideal | steady | flows
  PlacementResult placement;
  std::vector<std::string> warnings;
  std::int64_t gpus = 0;
  std::int64_t tokens = 0;                        // per step
  std::int64_t sequences = 0;                     // per step
  double peak_flops_per_second = 0;               // of one GPU, dense, of the GEMM dtype
  Bytes usable_memory{};                          // of one GPU
  Bytes context_memory{};                         // CUDA context and libraries, outside the allocator
  WideFlops model_flops = 0, hardware_flops = 0;  // of the step, all GPUs

  // What happened.
  program::Program program;
  std::vector<program::StageSummary> stages;
  engine::Timeline timeline;
  std::vector<engine::Breakdown> split;      // [device]
  std::vector<engine::DeviceMemory> memory;  // [device]
  std::vector<std::int64_t> reserved;        // [device] bytes, caching allocator
  engine::ScheduleBubbles schedule_bubbles;
  std::uint64_t timeline_hash = 0;
  std::vector<std::string> books;  // empty = they balance
};

// Figures derived from the above, the same in text, JSON and tests.
struct Metrics {
  double step_time_s = 0;
  double bubble_fraction = 0;
  double mfu = 0, hfu = 0;
  double tokens_per_s = 0, tokens_per_s_per_gpu = 0;
  std::array<Int128, program::kCategories> total{};   // ps, summed over all ranks (10^5 ranks x 100 s pass 2^63)
  std::array<double, program::kCategories> mean_s{};  // per rank; sums to the step time
  std::int64_t worst_device = 0;                      // the one with the largest reserved + context
  std::int64_t headroom = 0;                          // usable − (reserved + context) there
  bool fits = true;
};
Metrics metrics_of(const RunResult& run);

std::string to_json(const RunResult& run);  // schema "orrery.run/1", one object, ends with a newline

struct TextStyle {
  bool colour = false;
  int width = 100;
};
std::string to_text(const RunResult& run, const TextStyle& style);
std::string books_text(const RunResult& run);  // --audit

}  // namespace orrery::report
