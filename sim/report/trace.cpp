#include "orrery/report/trace.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.hpp"
#include "format.hpp"
#include "trace_arguments.hpp"
#include "trace_arrows.hpp"
#include "trace_counters.hpp"
#include "trace_path.hpp"

namespace orrery::report {
namespace {

using program::Activity;
using program::DeviceIndex;
using program::kNone;

// "stage 1: rank 8, node 1 GPU 0 (alike: 9-15)"
std::string process_name(const RunResult& run, const program::Device& device) {
  const std::int32_t rank = device.ranks.front();
  std::string text = fmt::format("stage {}: rank {}", device.pipeline_rank(), rank);
  const auto& placed = run.placement.devices;
  if (const auto r = static_cast<std::size_t>(rank); r < placed.size())
    text += fmt::format(", node {} GPU {}", placed[r] / run.placement.per_node, placed[r] % run.placement.per_node);
  if (device.ranks.size() > 1) text += fmt::format(" (alike: {})", rank_list(std::span(device.ranks).subspan(1)));
  return text;
}

class Trace {
 public:
  Trace(const RunResult& run, const TraceOptions& options, const std::function<void(std::string_view)>& write)
      : run_(run),
        options_(options),
        devices_(options.devices.empty() ? *trace_devices(run, "one-per-stage") : options.devices),
        writer_(write, head(run, options)),
        source_(run, options.detail),
        waits_(engine::waits_of(run.program, run.timeline, devices_)),
        thread_(run.program.operations.size(), kHidden),
        path_(path_slices(run)) {
    if (options.detail >= TraceDetail::stage) arrows_ = arrows_of(run.program, source_.times);
    for (const LevelUse& use : run.link_use) links_.push_back(link_curve(use));
    if (static_cast<std::int64_t>(path_.slices.size()) > options.most_events / 4) path_.slices.clear();
  }

  TraceSummary write() {
    TraceSummary summary;
    const std::int64_t besides = events_besides();
    const std::vector<std::int64_t> arrows = events_of_arrows();
    std::int64_t arrow_events = 0;
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const DeviceSlices slices = slices_of(source_, devices_[i], waits_[i]);
      const std::vector<Curve> memory = memory_curves(devices_[i], slices.slices.size());
      arrow_events += arrows[i];
      if (i > 0 && writer_.events() + events_of(slices, memory) + arrow_events + besides > options_.most_events) {
        summary.devices_left_out = static_cast<std::int64_t>(devices_.size() - i);
        break;
      }
      summary.ranks.push_back(run_.program.devices[devices_[i]].ranks.front());
      write_device(devices_[i], static_cast<std::int64_t>(i), slices, memory);
    }
    write_arrows();
    write_link_use();
    if (!path_.slices.empty()) write_path(run_, path_, run_.gpus + 1, writer_);
    write_faults();
    write_step_ends(summary.ranks.front());
    writer_.close();
    summary.events = writer_.events();
    return summary;
  }

 private:
  static constexpr std::int64_t kHidden = -1;

  // Metadata first: some readers stop at the events.
  static std::string head(const RunResult& run, const TraceOptions& options) {
    const nlohmann::ordered_json other{{"generator", "orrery"},
                                       {"run", run.title},
                                       {"network_mode", run.network_mode},
                                       {"detail", kTraceDetailNames[static_cast<std::size_t>(options.detail)]},
                                       {"step_time_ps", run.timeline.step_time.value}};
    return "\"displayTimeUnit\":\"ms\",\n\"otherData\":" + dump(other, -1);
  }
  std::int64_t end() const { return nanoseconds(run_.timeline.makespan.value); }

  static std::int64_t events_of(const DeviceSlices& slices, const std::vector<Curve>& memory) {
    std::int64_t events = 2 + static_cast<std::int64_t>(slices.slices.size());
    for (const std::uint32_t rows : slices.rows) events += 2 * rows;
    for (const Curve& curve : memory) events += static_cast<std::int64_t>(curve.size());
    return events;
  }
  // The instants, the path and the links.
  std::int64_t events_besides() const {
    std::int64_t events = run_.program.steps + 1;
    if (!run_.faults.empty()) events += 2 + 3 * static_cast<std::int64_t>(run_.faults.size());
    if (!path_.slices.empty()) events += 4 + static_cast<std::int64_t>(path_.slices.size());
    for (const Curve& curve : links_) events += 2 + static_cast<std::int64_t>(curve.size());
    return events;
  }
  // Two an arrow, counted with the later of its devices.
  std::vector<std::int64_t> events_of_arrows() const {
    constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
    std::vector<std::size_t> position(run_.program.devices.size(), kNowhere);
    for (std::size_t i = 0; i < devices_.size(); ++i) position[devices_[i]] = i;
    std::vector<std::int64_t> events(devices_.size(), 0);
    for (const Arrow& arrow : arrows_) {
      const std::size_t later = std::max(position[device_of(arrow.from)], position[device_of(arrow.to)]);
      if (later != kNowhere) events[later] += 2;
    }
    return events;
  }
  DeviceIndex device_of(program::OperationId op) const { return run_.program.operations[op].device; }
  static Curve link_curve(const LevelUse& use) {
    Curve curve;
    for (const LevelUse::Sample& s : use.samples) curve.emplace_back(nanoseconds(s.time), 100 * s.fraction);
    return thinned(curve, 20'000);
  }

  // A counter a class, to the end of the step, so that the last level is seen.
  std::vector<Curve> memory_curves(DeviceIndex device, std::size_t slices) const {
    const std::size_t most = std::clamp<std::size_t>(slices / 8, 100, 20'000);
    const auto samples = engine::memory_curve(run_.program, run_.timeline, device);
    std::vector<Curve> curves(program::kMemoryClasses);
    for (std::size_t c = 0; c < program::kMemoryClasses; ++c) {
      Curve& curve = curves[c];
      for (const engine::MemorySample& s : samples)
        curve.emplace_back(nanoseconds(s.time), static_cast<double>(s.bytes[c]));
      curve = thinned(curve, most);
      if (curve.size() == 1 && curve.front().second == 0) curve.clear();
      if (!curve.empty() && curve.back().first < end()) curve.emplace_back(end(), curve.back().second);
    }
    return curves;
  }
  void write_device(DeviceIndex device, std::int64_t position, const DeviceSlices& slices,
                    const std::vector<Curve>& memory) {
    const std::int64_t pid = run_.program.devices[device].ranks.front();
    writer_.process(pid, position, process_name(run_, run_.program.devices[device]));
    for (std::size_t track = 0; track < kTracks; ++track)
      for (std::uint32_t row = 0; row < slices.rows[track]; ++row)
        writer_.thread(pid, slices.thread_of(track, row),
                       row == 0 ? std::string(track_name(track)) : fmt::format("{} {}", track_name(track), row + 1));
    for (const Slice& slice : slices.slices)
      write_slice({pid, slices.thread_of(slice.track, slice.row), slice.start}, slice);
    for (std::size_t c = 0; c < memory.size(); ++c)
      for (const auto& [time, bytes] : memory[c])
        writer_.counter(pid, time, fmt::format("memory {}", program::kMemoryClassNames[c]),
                        fmt::format("\"bytes\":{:.0f}", bytes));
  }
  void write_slice(const TracePoint& at, const Slice& slice) {
    const bool own =
        slice.operation != kNone && slice.track != kWaits &&
        (slice.track == kPasses || run_.program.operations[slice.operation].activity > Activity::overlapped);
    if (own && options_.detail >= TraceDetail::stage) thread_[slice.operation] = at.tid;
    arguments_.clear();
    arguments_of(run_, slice, arguments_);
    const std::string_view category = slice.track == kPasses && slice.work > 0
                                          ? std::string_view("pass")
                                          : program::kCategoryNames[static_cast<std::size_t>(slice.category)];
    writer_.slice(at, slice.end, slice.name, category, colour_of(run_.program, slice), arguments_);
  }

  void write_arrows() {
    for (const Arrow& arrow : arrows_) {
      if (thread_[arrow.from] == kHidden || thread_[arrow.to] == kHidden) continue;
      writer_.arrow(point(arrow.from, arrow.leave), point(arrow.to, arrow.arrive),
                    arrow.forward ? "activation" : "gradient", "pipeline");
    }
  }
  TracePoint point(program::OperationId op, std::int64_t ns) const {
    return {run_.program.devices[device_of(op)].ranks.front(), thread_[op], ns};
  }

  // A process of its own after those of the ranks, one counter a level.
  void write_link_use() {
    const bool recorded =
        std::any_of(run_.link_use.begin(), run_.link_use.end(), [](const LevelUse& u) { return !u.samples.empty(); });
    if (!recorded) return;
    writer_.process(run_.gpus, run_.gpus, "links");
    for (std::size_t i = 0; i < links_.size(); ++i)
      for (const auto& [time, percent] : links_[i])
        writer_.counter(run_.gpus, time, fmt::format("{} links in use", name_of(run_.link_use[i].level)),
                        fmt::format(R"("percent":{:.2f})", percent));
  }
  // A process of its own after the path, a row for each.
  void write_faults() {
    if (run_.faults.empty()) return;
    const std::int64_t pid = run_.gpus + 2;
    const Time begin = engine::begin_of_last_step(run_.program, run_.timeline);
    writer_.process(pid, pid, "slow or down for a part of the step");
    for (std::size_t i = 0; i < run_.faults.size(); ++i) {
      const Fault& fault = run_.faults[i];
      const std::int64_t tid = static_cast<std::int64_t>(i) + 1;
      const std::int64_t from = nanoseconds((begin + fault.from).value);
      if (from >= end()) continue;
      const std::int64_t until = fault.until ? std::min(end(), nanoseconds((begin + *fault.until).value)) : end();
      const std::string what = dump(fault.what, -1);  // quoted
      writer_.thread(pid, tid, what.substr(1, what.size() - 2));
      writer_.slice({pid, tid, from}, until, what.substr(1, what.size() - 2), "fault", "terrible", {});
    }
  }
  // Of several steps the last is the one reported: it takes from the end of the one before to its own.
  void write_step_ends(std::int64_t pid) {
    writer_.instant({pid, 1, 0}, "step begins");
    const std::vector<std::int64_t> ends = engine::step_ends(run_.program, run_.timeline);
    const auto devices = static_cast<std::ptrdiff_t>(run_.program.devices.size());
    for (int step = 1; step < run_.program.steps; ++step)
      writer_.instant(
          {pid, 1, nanoseconds(*std::max_element(ends.begin() + (step - 1) * devices, ends.begin() + step * devices))},
          fmt::format("step {} ends", step));
    writer_.instant({pid, 1, end()}, run_.program.steps == 1 ? "step ends" : "last step ends");
  }

  const RunResult& run_;
  const TraceOptions& options_;
  std::vector<DeviceIndex> devices_;
  TraceWriter writer_;
  SliceSource source_;
  std::vector<std::vector<engine::Wait>> waits_;
  std::vector<std::int64_t> thread_;  // [operation] of its slice
  std::vector<Arrow> arrows_;
  DeviceSlices path_;
  std::vector<Curve> links_;  // [level in use]
  TraceArguments arguments_;
};

}  // namespace

TraceSummary write_trace(const RunResult& run, const TraceOptions& options,
                         const std::function<void(std::string_view)>& write) {
  return Trace(run, options, write).write();
}

}  // namespace orrery::report
