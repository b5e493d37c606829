// What a terminal shows beside the text: the passes of each stage over the step, and its memory.
#include <fmt/format.h>

#include <algorithm>

#include "run_charts.hpp"
#include "text_parts.hpp"
#include "trace_slices.hpp"

namespace orrery::report {
namespace {

using program::Category;
using program::DeviceIndex;

constexpr int kLabel = 12;

// Of a long pipeline the first rows and the last.
std::vector<DeviceIndex> rows_of(const RunResult& run) {
  constexpr std::size_t kMost = 16;
  std::vector<DeviceIndex> devices = one_a_stage(run);
  if (devices.size() > kMost) devices.erase(devices.begin() + kMost - 1, devices.end() - 1);
  return devices;
}

Category tone_of(std::string_view name) {
  return name == "F"   ? Category::recompute
         : name == "B" ? Category::compute
         : name == "W" ? Category::tensor_comm
         : name == "I" ? Category::context_comm
                       : Category::optimizer;
}

// Of each column the pass that has most of it, as the letter of its kind; "·" where nothing runs for most of it.
std::string row_of(const std::vector<Slice>& slices, std::int64_t end, int columns, const Paint& paint) {
  std::string text;
  std::size_t at = 0;
  for (int c = 0; c < columns; ++c) {
    const std::int64_t from = end * c / columns, to = end * (c + 1) / columns;
    std::int64_t most = (to - from) / 2;
    std::string_view best;
    while (at < slices.size() && slices[at].track == kPasses && slices[at].end <= from) ++at;
    for (std::size_t i = at; i < slices.size() && slices[i].track == kPasses && slices[i].start < to; ++i) {
      const std::int64_t part = std::min(to, slices[i].end) - std::max(from, slices[i].start);
      if (part >= most) most = part, best = slices[i].name;
    }
    text += best.empty() ? paint(Tone::dim, "·") : paint(tone_of(best), best.substr(0, 1));
  }
  return text;
}

}  // namespace

std::vector<std::string> timeline_art(const RunResult& run, const TextStyle& style) {
  const Paint paint{style.colour};
  const SliceSource source(run, TraceDetail::stage);
  const int columns = style.width - kLabel - 4;
  std::vector<std::string> lines;
  for (const DeviceIndex d : rows_of(run))
    lines.push_back(fmt::format("  {:<{}}", fmt::format("stage {}", run.program.devices[d].pipeline_rank()), kLabel) +
                    row_of(slices_of(source, d, {}).slices, run.timeline.makespan.value / 1000, columns, paint));
  lines.push_back(fmt::format("  {:<{}}0{:>{}}", "", kLabel, time_text(run.timeline.makespan.value), columns - 1));
  return lines;
}

std::vector<std::string> memory_art(const RunResult& run, const TextStyle& style) {
  const Paint paint{style.colour};
  constexpr int kFigures = 24;
  const int columns = style.width - kLabel - 4 - kFigures;
  std::vector<std::string> lines;
  for (const DeviceIndex d : rows_of(run)) {
    const std::int64_t used = run.reserved[d] + run.context_memory.value;
    const double part = static_cast<double>(used) / static_cast<double>(run.usable_on(d).value);
    const int filled = static_cast<int>(std::min(1.0, part) * columns + 0.5);
    std::string bar, rest;
    for (int i = 0; i < filled; ++i) bar += "█";
    for (int i = filled; i < columns; ++i) rest += "░";
    lines.push_back(fmt::format("  {:<{}}", fmt::format("memory {}", run.program.devices[d].pipeline_rank()), kLabel) +
                    paint(part <= 1 ? Tone::good : Tone::bad, bar) + paint(Tone::dim, rest) +
                    fmt::format(" {} of {}", bytes_text(used), bytes_text(run.usable_on(d).value)));
  }
  return lines;
}

}  // namespace orrery::report
