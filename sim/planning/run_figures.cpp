#include "run_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "orrery/planning/amounts.hpp"
#include "orrery/report/numbers.hpp"
#include "report/text_parts.hpp"

namespace orrery::planning {
namespace {

using report::Metrics;

std::string percent(double part) {
  return fmt::format("{:.1f} %", 100 * part);
}
std::string gibibytes(std::int64_t bytes) {
  return fmt::format("{:.3g} GiB", static_cast<double>(bytes) / (1 << 30));
}
std::string ranks(int degree) {
  return fmt::format("{} here", degree);
}

// Of the fullest GPU, at its peak.
std::string held(const PlayedRun& run, const Metrics& m, std::string_view name) {
  for (std::size_t c = 0; c < program::kMemoryClasses; ++c)
    if (program::kMemoryClassNames[c] == name)
      return gibibytes(run.result.memory[static_cast<std::size_t>(m.worst_device)].at_peak[c]) + " on the fullest GPU";
  return {};
}

double waits_for_bytes(const Metrics& m) {
  double seconds = 0;
  for (const auto c : {program::Category::tensor_comm, program::Category::context_comm, program::Category::data_comm,
                       program::Category::pipeline_comm, program::Category::offload_comm})
    seconds += m.mean_s[static_cast<std::size_t>(c)];
  return seconds / m.step_time_s;
}

std::string zero_text(const layout::Layout& l) {
  constexpr const char* names[] = {"not used here", "ZeRO-1", "ZeRO-2", "ZeRO-3"};
  return l.zero == layout::Zero::none
             ? names[0]
             : fmt::format("{} over {} GPUs", names[static_cast<std::size_t>(l.zero)], l.shards());
}

using Show = std::function<std::string(const PlayedRun&, const Metrics&)>;

const std::map<std::string, Show>& table() {
  const auto of_layout = [](int layout::Layout::*degree) -> Show {
    return [degree](const PlayedRun& r, const Metrics&) { return ranks(r.scenario.layout.*degree); };
  };
  const auto of_memory = [](const char* name) -> Show {
    return [name](const PlayedRun& r, const Metrics& m) { return held(r, m, name); };
  };
  const auto worst = [](const Metrics& m) { return static_cast<std::size_t>(m.worst_device); };
  static const std::map<std::string, Show> shows{
      {"step_time_s", [](const PlayedRun&, const Metrics& m) { return report::seconds_text(m.step_time_s); }},
      {"tokens_per_s", [](const PlayedRun&, const Metrics& m) { return grouped_text(m.tokens_per_s); }},
      {"mfu", [](const PlayedRun&, const Metrics& m) { return percent(m.mfu); }},
      {"hfu", [](const PlayedRun&, const Metrics& m) { return percent(m.hfu); }},
      {"bubble_fraction", [](const PlayedRun&, const Metrics& m) { return percent(m.bubble_fraction); }},
      {"schedule_bubble_fraction",
       [](const PlayedRun& r, const Metrics&) { return percent(r.result.schedule_bubbles.bubble()); }},
      {"span_bubble_fraction",
       [](const PlayedRun& r, const Metrics&) { return percent(r.result.schedule_bubbles.span_bubble()); }},
      {"micro_batches",
       [](const PlayedRun& r, const Metrics&) {
         return fmt::format("{} of {} sequence{} on each replica", r.scenario.micro_batches(),
                            r.scenario.training.micro_batch, r.scenario.training.micro_batch == 1 ? "" : "s");
       }},
      {"sequences_per_step", [](const PlayedRun& r, const Metrics&) { return std::to_string(r.result.sequences); }},
      {"peak_bytes",
       [worst](const PlayedRun& r, const Metrics& m) { return gibibytes(r.result.memory[worst(m)].peak); }},
      {"reserved_bytes",
       [worst](const PlayedRun& r, const Metrics& m) { return gibibytes(r.result.reserved[worst(m)]); }},
      {"verdict", [](const PlayedRun&, const Metrics& m) { return std::string(report::name_of(m.verdict)); }},
      {"network_mode", [](const PlayedRun& r, const Metrics&) { return r.result.network_mode; }},
      {"peak_flops_per_s",
       [](const PlayedRun& r, const Metrics&) {
         return fmt::format("{:.4g} TFLOP/s", r.result.peak_flops_per_second / 1e12);
       }},
      {"host",
       [](const PlayedRun&, const Metrics& m) {
         return percent(m.mean_s[static_cast<std::size_t>(program::Category::host)] / m.step_time_s) + " of the step";
       }},
      {"exposed", [](const PlayedRun&, const Metrics& m) { return percent(waits_for_bytes(m)) + " of the step"; }},
      {"stack", [](const PlayedRun& r, const Metrics&) { return r.scenario.stack.type; }},
      {"in_flight",
       [](const PlayedRun& r, const Metrics&) {
         const std::vector<int> peaks = report::peak_in_flight(r.result);
         const int most = *std::max_element(peaks.begin(), peaks.end());
         const int chunks = r.scenario.layout.virtual_stages;
         return fmt::format("{} at most on a GPU{}", most, chunks > 1 ? ", of a chunk each" : "");
       }},
      {"schedule", [](const PlayedRun& r, const Metrics&) { return r.scenario.schedule.type; }},
      {"zero", [](const PlayedRun& r, const Metrics&) { return zero_text(r.scenario.layout); }},
      {"recompute",
       [](const PlayedRun&, const Metrics& m) {
         return percent(m.mean_s[static_cast<std::size_t>(program::Category::recompute)] / m.step_time_s) +
                " of the step";
       }},
      {"weights", of_memory("weights")},
      {"gradients", of_memory("gradients")},
      {"optimizer", of_memory("optimizer")},
      {"activations", of_memory("activations")},
      {"tensor", of_layout(&layout::Layout::tensor)},
      {"pipeline", of_layout(&layout::Layout::pipeline)},
      {"data", of_layout(&layout::Layout::data)},
      {"virtual", of_layout(&layout::Layout::virtual_stages)}};
  return shows;
}

}  // namespace

std::string run_figure(const std::string& key, const PlayedRun& run) {
  const auto at = table().find(key);
  return at == table().end() ? std::string() : at->second(run, report::metrics_of(run.result));
}

}  // namespace orrery::planning
