#include "run_charts.hpp"

#include <algorithm>
#include <array>

#include "format.hpp"
#include "svg.hpp"
#include "trace_slices.hpp"
#include "waterfall.hpp"

namespace orrery::report {
namespace {

using program::DeviceIndex;

std::string stage_label(const RunResult& run, DeviceIndex d) {
  return fmt::format("stage {}, rank {}", run.program.devices[d].pipeline_rank(), run.program.devices[d].ranks.front());
}

// Names beside boxes of the colour of each, on rows of the width.
void legend(Svg& svg, double y, const std::vector<std::pair<std::string, std::string>>& entries) {
  double x = 130;
  for (const auto& [name, classes] : entries) {
    svg.rect(x, y, 11, 11, classes);
    svg.text(x + 16, y + 10, name);
    x += 32 + 6.6 * static_cast<double>(name.size());
  }
}

}  // namespace

std::vector<DeviceIndex> one_a_stage(const RunResult& run) {
  return *trace_devices(run, "one-per-stage");
}

std::string waterfall_svg(const RunResult& run) {
  constexpr double kLabel = 300, kBar = 620, kRow = 22, kValue = 70;
  const Waterfall w = waterfall_of(run);
  const std::vector<std::int64_t> tenths = tenths_of(w);
  const auto shown =
      static_cast<double>(std::count_if(tenths.begin(), tenths.end() - 1, [](auto t) { return t != 0; }));
  Svg svg(kLabel + kBar + kValue, (shown + 2) * kRow + 8, "From the peak of the GPUs to the MFU");
  double y = 4;
  const auto row = [&](const std::string& label, std::int64_t from, std::int64_t to, std::int64_t value,
                       const char* sign, const char* classes) {
    svg.text(kLabel - 10, y + 14, label, "end");
    const double x = kLabel + kBar * static_cast<double>(std::clamp<std::int64_t>(from, 0, 1000)) / 1000;
    const double end = kLabel + kBar * static_cast<double>(std::clamp<std::int64_t>(to, 0, 1000)) / 1000;
    svg.rect(x, y + 3, std::max(1.0, end - x), kRow - 6, classes,
             fmt::format("{}: {}{}.{} %", label, sign, value / 10, value % 10));
    svg.text(kLabel + kBar + 8, y + 14, fmt::format("{}{}.{} %", sign, value / 10, value % 10), "start", "ink");
    y += kRow;
  };
  row("peak", 0, 1000, 1000, "", "k9");
  std::int64_t left = 1000;
  for (std::size_t i = 0; i < w.losses.size(); ++i) {
    const std::int64_t t = tenths[i];
    if (t == 0) continue;
    row(w.losses[i].label, std::min(left - t, left), std::max(left - t, left), std::abs(t), t > 0 ? "−" : "+",
        t > 0 ? "k5" : "k0");
    left -= t;
  }
  row("MFU", 0, left, left, "", "k0");
  return svg.close();
}

std::string split_svg(const RunResult& run) {
  constexpr double kLabel = 130, kBar = 820, kRow = 24;
  const std::vector<DeviceIndex> devices = one_a_stage(run);
  Svg svg(kLabel + kBar + 10, kRow * static_cast<double>(devices.size()) + 34, "Split of the step of each stage");
  std::array<bool, program::kCategories> used{};
  const auto step = static_cast<double>(run.timeline.step_time.value);
  double y = 2;
  for (const DeviceIndex d : devices) {
    svg.text(kLabel - 8, y + 15, stage_label(run, d), "end");
    double x = kLabel;
    for (std::size_t c = 0; c < program::kCategories; ++c) {
      const double part = static_cast<double>(run.split[d][c]) / step;
      if (part <= 0) continue;
      used[c] = true;
      svg.rect(x, y + 2, kBar * part, kRow - 5, fmt::format("k{}", c),
               fmt::format("{}: {}, {}", program::kCategoryNames[c], percent_text(part), time_text(run.split[d][c])));
      x += kBar * part;
    }
    y += kRow;
  }
  std::vector<std::pair<std::string, std::string>> entries;
  for (std::size_t c = 0; c < program::kCategories; ++c)
    if (used[c]) entries.emplace_back(std::string(program::kCategoryNames[c]), fmt::format("k{}", c));
  legend(svg, y + 10, entries);
  return svg.close();
}

// Passes of one kind that are narrower than half a pixel together are one box.
std::string staircase_svg(const RunResult& run) {
  constexpr double kLabel = 130, kBar = 820, kRow = 22;
  const std::vector<DeviceIndex> devices = one_a_stage(run);
  Svg svg(kLabel + kBar + 10, kRow * static_cast<double>(devices.size()) + 34,
          "The passes of each stage over the step");
  const SliceSource source(run, TraceDetail::stage);
  const double scale = kBar / (static_cast<double>(run.timeline.makespan.value) / 1000);
  struct Kind {
    std::string_view name;
    const char *text, *classes;
    bool used = false;
  };
  std::array<Kind, 6> kinds{{{"F", "F forward", "s0"},
                             {"B", "B backward", "s2"},
                             {"I", "I", "s4"},
                             {"W", "W", "s3"},
                             {"X", "F and B", "s5"},
                             {"", "optimizer", "s6"}}};
  const auto kind_of = [&](std::string_view name) -> Kind& {
    const auto at = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) { return k.name == name; });
    return at == kinds.end() ? kinds.back() : *at;
  };
  double y = 2;
  for (const DeviceIndex d : devices) {
    svg.text(kLabel - 8, y + 14, stage_label(run, d), "end");
    std::string_view open;
    double from = 0, to = 0;
    const auto flush = [&] {
      if (!open.empty()) {
        Kind& kind = kind_of(open);
        kind.used = true;
        svg.rect(kLabel + from, y + 2, std::max(0.4, to - from - (to - from > 3 ? 0.6 : 0)), kRow - 4, kind.classes,
                 std::string(open));
      }
      open = {};
    };
    for (const Slice& s : slices_of(source, d, {}).slices) {
      if (s.track != kPasses) break;
      const double start = static_cast<double>(s.start) * scale, end = static_cast<double>(s.end) * scale;
      if (open != s.name || start - to > 0.5 || to - from > 1.5) {
        flush();
        open = s.name, from = start;
      }
      to = end;
    }
    flush();
    y += kRow;
  }
  std::vector<std::pair<std::string, std::string>> entries;
  for (const Kind& kind : kinds)
    if (kind.used) entries.emplace_back(kind.text, kind.classes);
  legend(svg, y + 10, entries);
  return svg.close();
}

namespace {

constexpr int kBuckets = 160;

// Of each bucket of the time the sample with most bytes.
std::vector<program::MemoryByClass> buckets_of(const RunResult& run, DeviceIndex d) {
  const auto total = [](const program::MemoryByClass& m) {
    std::int64_t sum = 0;
    for (const std::int64_t bytes : m) sum += bytes;
    return sum;
  };
  std::vector<program::MemoryByClass> buckets(kBuckets);
  const auto curve = engine::memory_curve(run.program, run.timeline, d);
  std::size_t at = 0;
  for (int b = 0; b < kBuckets; ++b) {
    const std::int64_t until = run.timeline.makespan.value / kBuckets * (b + 1);
    auto& best = buckets[static_cast<std::size_t>(b)];
    best = curve[at].bytes;
    while (at + 1 < curve.size() && curve[at + 1].time < until)
      if (total(curve[++at].bytes) > total(best)) best = curve[at].bytes;
  }
  return buckets;
}

void memory_panel(Svg& svg, const RunResult& run, DeviceIndex d, double left, double top, double most) {
  constexpr double kPlot = 250, kHigh = 120;
  svg.text(left, top + 12, stage_label(run, d), "start", "ink bold");
  const double bottom = top + 20 + kHigh;
  const auto buckets = buckets_of(run, d);
  std::vector<double> below(kBuckets, 0.0);
  for (std::size_t c = 0; c < program::kMemoryClasses; ++c) {
    std::string up, down;
    bool any = false;
    for (std::size_t b = 0; b < buckets.size(); ++b) {
      const double x0 = left + kPlot * static_cast<double>(b) / kBuckets,
                   x1 = left + kPlot * static_cast<double>(b + 1) / kBuckets;
      const double low = bottom - kHigh * below[b] / most;
      below[b] += static_cast<double>(buckets[b][c]);
      const double high = bottom - kHigh * below[b] / most;
      any = any || buckets[b][c] > 0;
      up += fmt::format("{:.1f},{:.1f} {:.1f},{:.1f} ", x0, high, x1, high);
      down.insert(0, fmt::format("{:.1f},{:.1f} {:.1f},{:.1f} ", x1, low, x0, low));
    }
    if (any)
      svg.raw(fmt::format("<polygon points=\"{}{}\" class=\"k{}\"><title>{}</title></polygon>\n", up, down, c,
                          program::kMemoryClassNames[c]));
  }
  const double limit = bottom - kHigh * static_cast<double>((run.usable_on(d) - run.context_memory).value) / most;
  svg.line(left, limit, left + kPlot, limit, "limit");
  svg.rect(left, bottom - kHigh, kPlot, kHigh, "grid");
  svg.text(left, bottom + 14,
           fmt::format("peak {}, reserved {}", bytes_text(run.memory[d].peak), bytes_text(run.reserved[d])), "start",
           "faint");
}

}  // namespace

// Of many stages the first fifteen and the last.
std::string memory_svg(const RunResult& run) {
  constexpr double kCell = 290, kHigh = 176;
  constexpr std::size_t kMost = 16, kAcross = 4;
  std::vector<DeviceIndex> devices = one_a_stage(run);
  if (devices.size() > kMost) devices.erase(devices.begin() + kMost - 1, devices.end() - 1);
  auto most = static_cast<double>((run.usable_memory - run.context_memory).value);
  for (const DeviceIndex d : devices) most = std::max(most, static_cast<double>(run.memory[d].peak));
  most *= 1.04;
  const std::size_t across = std::min(kAcross, devices.size()), down = (devices.size() + across - 1) / across;
  Svg svg(std::max(660.0, kCell * static_cast<double>(across)), kHigh * static_cast<double>(down) + 34,
          "Memory of each stage over the step");
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const std::size_t column = i % across, row = i / across;
    memory_panel(svg, run, devices[i], kCell * static_cast<double>(column) + 4, kHigh * static_cast<double>(row), most);
  }
  std::vector<std::pair<std::string, std::string>> entries;
  for (std::size_t c = 0; c < program::kMemoryClasses; ++c)
    if (std::any_of(run.memory.begin(), run.memory.end(), [&](const auto& m) { return m.at_peak[c] > 0; }))
      entries.emplace_back(std::string(program::kMemoryClassNames[c]), fmt::format("k{}", c));
  legend(svg, kHigh * static_cast<double>(down) + 8, entries);
  return svg.close();
}

}  // namespace orrery::report
