#include "run_playing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kinds.hpp"
#include "orrery/core/memory.hpp"
#include "orrery/scenario/simulate.hpp"
#include "parallel.hpp"

namespace orrery::validation {
namespace {

Value measured(const std::optional<double>& value) {
  return value ? Value(*value) : Value();
}

// Of the fullest rank, or of the first or last one.
std::int64_t peak_of(const report::RunResult& run, MemoryKind kind) {
  const std::vector<program::Device>& devices = run.program.devices;
  const std::int32_t last = std::max_element(devices.begin(), devices.end(), [](const auto& a, const auto& b) {
                              return a.ranks.back() < b.ranks.back();
                            })->ranks.back();
  std::int64_t peak = 0;
  for (std::size_t d = 0; d < devices.size(); ++d) {
    if (kind == MemoryKind::allocated_last_rank && devices[d].ranks.back() != last) continue;
    if (kind == MemoryKind::reserved_first_rank && devices[d].ranks.front() != 0) continue;
    const bool reserved = kind != MemoryKind::allocated && kind != MemoryKind::allocated_last_rank;
    peak = std::max(peak, reserved ? run.reserved[d] : run.memory[d].peak);
  }
  return peak + (kind == MemoryKind::process ? run.context_memory.value : 0);
}

// Where the time goes, mean of the ranks, and the memory of the fullest one.
void account(const report::RunResult& run, Row& row) {
  constexpr std::array<std::string_view, 7> kClasses{"weights", "gradients", "optimizer", "activations",
                                                     "buffers", "context",   "other"};
  const report::Metrics metrics = report::metrics_of(run);
  for (std::size_t c = 0; c < program::kCategories; ++c)
    if (metrics.mean_s[c] > 0) row.split_s.emplace_back(program::kCategoryNames[c], metrics.mean_s[c]);
  const auto fullest = std::max_element(run.memory.begin(), run.memory.end(),
                                        [](const auto& a, const auto& b) { return a.peak < b.peak; });
  for (std::size_t c = 0; c < kClasses.size(); ++c)
    if (fullest->at_peak[c] > 0)
      row.memory_gib.emplace_back(kClasses[c], static_cast<double>(fullest->at_peak[c]) / kGiB);
}

void play(const Job& job, Bytes memory_limit, Row& row) {
  const Result<scenario::Run> ready =
      scenario::resolve(*job.scenario, Catalogue::shared(),
                        {.automatic = scenario::NetworkModeChoice::steady, .memory_limit = memory_limit});
  if (!ready.ok()) {
    row.why = reason(ready.errors());
    return;
  }
  scenario::RunOptions how;
  how.what_if = false;
  how.memory_limit = memory_limit;
  const Result<report::RunResult> run = scenario::simulate(*ready, how);
  if (!run.ok()) {
    row.why = reason(run.errors());
    return;
  }
  row.figures[0].predicted = seconds(run->timeline.step_time);
  row.figures[1].predicted = static_cast<double>(peak_of(*run, job.memory)) / kGiB;
  account(*run, row);
}

}  // namespace

std::vector<Figure> figures_of_run(const std::optional<double>& step_time_s,
                                   const std::optional<double>& peak_memory_gib) {
  return {{"step_time_s", false, measured(step_time_s), {}}, {"peak_memory_gib", false, measured(peak_memory_gib), {}}};
}

void play_rows(std::vector<Job>& jobs, const Options& options, std::vector<Row>& rows) {
  const Bytes of_each{options.memory_limit.value_or(default_memory_limit()).value /
                      static_cast<std::int64_t>(threads_of(options))};
  for_each_row(rows.size(), options, [&](std::size_t i) {
    if (!jobs[i].scenario) return;
    try {
      play(jobs[i], of_each, rows[i]);
    } catch (const std::exception& bug) {  // one row must not take the others with it
      rows[i].why = fmt::format("a bug in orrery: {}", bug.what());
    }
    jobs[i].scenario.reset();
  });
}

}  // namespace orrery::validation
