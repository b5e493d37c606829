#include <fmt/format.h>

#include <array>
#include <limits>

#include "host_use.hpp"
#include "orrery/report/run_result.hpp"

namespace orrery::report {
namespace {

// Time by category, a folded device counted once for each rank it stands for.
void sum_time(const RunResult& run, Metrics& m) {
  Int128 ranks = 0;
  for (std::size_t d = 0; d < run.split.size(); ++d) {
    const auto weight = static_cast<Int128>(run.program.devices[d].ranks.size());
    ranks += weight;
    for (std::size_t c = 0; c < program::kCategories; ++c) m.total[c] += weight * run.split[d][c];
  }
  for (std::size_t c = 0; c < program::kCategories; ++c)
    m.mean_s[c] = static_cast<double>(m.total[c]) / static_cast<double>(ranks) / 1e12;
  const Int128 whole = ranks * run.timeline.step_time.value;
  m.bubble_fraction =
      static_cast<double>(m.total[static_cast<std::size_t>(program::Category::bubble)]) / static_cast<double>(whole);
}

void find_fullest(const RunResult& run, Metrics& m) {
  m.headroom = std::numeric_limits<std::int64_t>::max();
  for (std::size_t d = 0; d < run.reserved.size(); ++d) {
    const std::int64_t used = checked_add(run.reserved[d], run.context_memory.value);
    const std::int64_t free = checked_sub(run.usable_on(d).value, used);
    if (run.memory[d].retries > 0) m.verdict = Verdict::fits_by_releasing;
    if (free >= m.headroom) continue;
    m.headroom = free;
    m.worst_device = static_cast<std::int64_t>(d);
  }
  if (m.headroom < 0) m.verdict = Verdict::does_not_fit;
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  constexpr std::array<std::string_view, 3> names{"fits", "fits_by_releasing", "does_not_fit"};
  return names[static_cast<std::size_t>(verdict)];
}

// MFU = model FLOPs / (step time · GPUs · peak) (PaLM, appendix B); HFU the same with the FLOPs that the kernels run:
// recomputation is in, what causal kernels skip is not. Korthikanti et al. 2022, section 6.3, count attention in full.
Metrics metrics_of(const RunResult& run) {
  check(!run.program.devices.empty(), "a report needs a device");
  check(run.split.size() == run.program.devices.size() && run.memory.size() == run.split.size() &&
            run.reserved.size() == run.split.size(),
        "a report needs the split of time and the memory of each device");
  check(run.timeline.step_time.value > 0, "a step takes time");
  Metrics m;
  m.step_time_s = seconds(run.timeline.step_time);
  const double possible = m.step_time_s * static_cast<double>(run.gpus) * run.peak_flops_per_second;
  m.mfu = static_cast<double>(run.flops.model.total()) / possible;
  m.hfu = static_cast<double>(run.flops.executed.total()) / possible;
  m.hfu_korthikanti = static_cast<double>(run.flops.korthikanti) / possible;
  m.tokens_per_s = static_cast<double>(run.tokens) / m.step_time_s;
  m.tokens_per_s_per_gpu = m.tokens_per_s / static_cast<double>(run.gpus);
  sum_time(run, m);
  find_fullest(run, m);
  if (run.hosts && !fits(*run.hosts)) m.verdict = Verdict::does_not_fit;
  return m;
}

std::vector<std::string> audit_rates(const RunResult& run) {
  const double hfu = metrics_of(run).hfu;
  if (hfu <= 1) return {};
  return {fmt::format("FLOPs: the kernels run {} in a step, {:.1f} % of what the GPUs can", run.flops.executed.total(),
                      100 * hfu)};
}

}  // namespace orrery::report
