#include "orrery/report/trace.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.hpp"
#include "format.hpp"
#include "trace_arrows.hpp"
#include "trace_slices.hpp"
#include "trace_writer.hpp"

namespace orrery::report {
namespace {

using program::Activity;
using program::Category;
using program::DeviceIndex;
using program::kNone;

std::string process_name(const program::Device& device) {
  return fmt::format("{} {} (stage {})", device.ranks.size() == 1 ? "rank" : "ranks", rank_list(device.ranks),
                     device.pipeline_rank());
}

// Colours for catapult out of its fixed palette; other viewers take them from the name. Passes are told apart by kind.
std::string_view colour_of(const program::Program& program, const Slice& slice) {
  if (slice.operation != kNone && slice.task == kNone) {
    switch (program.operations[slice.operation].activity) {
      case Activity::forward:
        return "thread_state_running";
      case Activity::backward:
        return "thread_state_runnable";
      case Activity::input_gradient:
        return "rail_response";
      case Activity::weight_gradient:
        return "thread_state_iowait";
      default:
        return "thread_state_uninterruptible";
    }
  }
  switch (slice.category) {
    case Category::compute:
      return "good";
    case Category::recompute:
      return "olive";
    case Category::optimizer:
      return "rail_load";
    case Category::pipeline_comm:
      return "rail_idle";
    case Category::host:
      return "grey";
    case Category::data_comm:
      return "bad";
    default:
      return "yellow";
  }
}

// Ids as texts: catapult shows the number 0 as blank.
std::string arguments_of(const program::Program& program, const Slice& slice) {
  std::string text;
  const auto add = [&](std::string_view key, std::int64_t value) {
    text += fmt::format(R"({}"{}":"{}")", text.empty() ? "" : ",", key, value);
  };
  if (slice.operation != kNone && !slice.nested) {
    const program::Operation& op = program.operations[slice.operation];
    if (op.stage >= 0 && op.micro_batch >= 0) {
      add("stage", op.stage);
      add("micro_batch", op.micro_batch);
    }
    if (op.pipe != 0) add("pipe", op.pipe);
    if (op.backward_stage >= 0) {
      add("backward_stage", op.backward_stage);
      add("backward_micro_batch", op.backward_micro_batch);
    }
    if (program.steps > 1) add("step", op.step + 1);
  }
  if (slice.task != kNone && program.template_of(slice.task).bytes_sent.value > 0)
    add("bytes", program.template_of(slice.task).bytes_sent.value);
  return text;
}

// A curve of at most so many samples: of each run of neighbours the fullest stays, so that peaks do.
std::vector<engine::MemorySample> thin(const std::vector<engine::MemorySample>& curve, std::size_t most) {
  const auto total = [](const engine::MemorySample& s) {
    std::int64_t sum = 0;
    for (const std::int64_t bytes : s.bytes) sum += bytes;
    return sum;
  };
  std::vector<engine::MemorySample> result;  // the last of each nanosecond
  for (const engine::MemorySample& sample : curve) {
    if (!result.empty() && nanoseconds(result.back().time) == nanoseconds(sample.time)) result.pop_back();
    result.push_back(sample);
  }
  if (result.size() <= most) return result;
  const std::size_t run = (result.size() + most - 1) / most;
  std::size_t kept = 1;  // the first sample is that of time 0
  for (std::size_t i = 1; i + 1 < result.size(); i += run) {
    const auto end = result.begin() + static_cast<std::ptrdiff_t>(std::min(i + run, result.size() - 1));
    result[kept++] = *std::max_element(result.begin() + static_cast<std::ptrdiff_t>(i), end,
                                       [&](const auto& a, const auto& b) { return total(a) < total(b); });
  }
  result[kept++] = result.back();
  result.resize(kept);
  return result;
}

// The last of each nanosecond; then of each run of neighbours the fullest and the end.
std::vector<LevelUse::Sample> thin_use(const std::vector<LevelUse::Sample>& samples, std::size_t most) {
  std::vector<LevelUse::Sample> result;
  for (const LevelUse::Sample& sample : samples) {
    if (!result.empty() && nanoseconds(result.back().time) == nanoseconds(sample.time)) result.pop_back();
    result.push_back(sample);
  }
  if (result.size() <= most) return result;
  const std::size_t run = (result.size() + most - 1) / most;
  std::size_t kept = 1;  // the first is that of time 0
  for (std::size_t i = 1; i + 1 < result.size(); i += run) {
    const auto begin = result.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = result.begin() + static_cast<std::ptrdiff_t>(std::min(i + run, result.size() - 1));
    result[kept++] =
        *std::max_element(begin, end, [](const auto& a, const auto& b) { return a.fraction < b.fraction; });
  }
  result[kept++] = result.back();
  result.resize(kept);
  return result;
}

class Trace {
 public:
  Trace(const RunResult& run, const TraceOptions& options, const std::function<void(std::string_view)>& write)
      : run_(run),
        options_(options),
        writer_(write, head(run)),
        times_(engine::operation_times(run.program, run.timeline)),
        by_(tasks_by_device(run.program)),
        arrows_(arrows_of(run.program, times_)),
        thread_(run.program.operations.size(), 0),
        classes_(classes_in_use(run)) {}

  TraceSummary write() {
    const auto devices = static_cast<DeviceIndex>(run_.program.devices.size());
    const std::vector<std::int64_t> arrow_events = events_of_arrows();
    DeviceIndex written = 0;
    std::int64_t events = 1 + run_.program.steps;  // the instants
    for (; written < devices; ++written) {
      const DeviceSlices slices = slices_of(run_, times_, by_, written, options_.inner);
      const auto curve = memory_curve(written);
      events += static_cast<std::int64_t>(slices.slices.size() + curve.size()) + arrow_events[written] + 2;
      for (const std::uint32_t rows : slices.rows) events += 2 * rows;
      if (written > 0 && events > options_.most_events) break;
      write_device(written, slices, curve);
    }
    for (const Arrow& arrow : arrows_)
      if (std::max(device_of(arrow.from), device_of(arrow.to)) < written) write_arrow(arrow);
    write_link_use();
    const std::int64_t pid = run_.program.devices[0].ranks.front();
    write_step_ends(pid);
    writer_.close();
    return {writer_.events(), written, devices - written};
  }

 private:
  // Metadata first: some readers stop at the events.
  static std::string head(const RunResult& run) {
    const nlohmann::ordered_json other{{"generator", "orrery"},
                                       {"run", run.title},
                                       {"network_mode", run.network_mode},
                                       {"step_time_ps", run.timeline.step_time.value}};
    return "\"displayTimeUnit\":\"ms\",\n\"otherData\":" + dump(other, -1);
  }
  // The same series in every sample: catapult fixes them at the first.
  static std::vector<std::size_t> classes_in_use(const RunResult& run) {
    std::array<bool, program::kMemoryClasses> used{};
    for (const program::Device& device : run.program.devices)
      for (std::size_t c = 0; c < used.size(); ++c) used[c] = used[c] || device.resident[c] != 0;
    for (const program::MemoryEffect& effect : run.program.effects)
      used[static_cast<std::size_t>(effect.memory_class)] = true;
    std::vector<std::size_t> classes;
    for (std::size_t c = 0; c < used.size(); ++c)
      if (used[c]) classes.push_back(c);
    return classes;
  }
  std::int64_t end() const { return nanoseconds(run_.timeline.makespan.value); }
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
  DeviceIndex device_of(program::OperationId op) const { return run_.program.operations[op].device; }
  // Two events an arrow, counted with the later of its devices.
  std::vector<std::int64_t> events_of_arrows() const {
    std::vector<std::int64_t> count(run_.program.devices.size(), 0);
    for (const Arrow& arrow : arrows_) count[std::max(device_of(arrow.from), device_of(arrow.to))] += 2;
    return count;
  }

  // A quarter of the events at most.
  std::size_t most_samples() const {
    const auto devices = static_cast<std::int64_t>(run_.program.devices.size());
    return static_cast<std::size_t>(std::clamp<std::int64_t>(options_.most_events / 4 / devices, 100, 20'000));
  }
  // To the end of the step, so that the last level is seen.
  std::vector<engine::MemorySample> memory_curve(DeviceIndex device) const {
    if (classes_.empty()) return {};
    auto curve = thin(engine::memory_curve(run_.program, run_.timeline, device), most_samples());
    if (nanoseconds(curve.back().time) < end()) curve.push_back({run_.timeline.makespan.value, curve.back().bytes});
    return curve;
  }
  void write_device(DeviceIndex device, const DeviceSlices& slices, const std::vector<engine::MemorySample>& curve) {
    const std::int64_t pid = run_.program.devices[device].ranks.front();
    writer_.process(pid, process_name(run_.program.devices[device]));
    for (std::size_t lane = 0; lane < program::kLanes; ++lane)
      for (std::uint32_t row = 0; row < slices.rows[lane]; ++row)
        writer_.thread(pid, slices.thread_of(static_cast<program::Lane>(lane), row),
                       row == 0 ? std::string(program::kLaneNames[lane])
                                : fmt::format("{} {}", program::kLaneNames[lane], row + 1));
    for (const Slice& slice : slices.slices)
      write_slice({pid, slices.thread_of(slice.lane, slice.row), slice.start}, slice);
    for (const engine::MemorySample& sample : curve) write_sample(pid, nanoseconds(sample.time), sample);
  }
  void write_slice(const TracePoint& at, const Slice& slice) {
    const bool pass_part = slice.task != kNone && slice.operation != kNone &&
                           run_.program.operations[slice.operation].activity <= Activity::overlapped;
    if (slice.operation != kNone && !pass_part) thread_[slice.operation] = at.tid;
    writer_.slice(at, slice.end, slice_name(run_.program, slice),
                  program::kCategoryNames[static_cast<std::size_t>(slice.category)], colour_of(run_.program, slice),
                  arguments_of(run_.program, slice));
  }
  // A process of its own after those of the ranks, one counter a level; of neighbours the fullest stays where there are
  // more than the viewers bear.
  void write_link_use() {
    const bool recorded =
        std::any_of(run_.link_use.begin(), run_.link_use.end(), [](const LevelUse& u) { return !u.samples.empty(); });
    if (!recorded) return;
    const std::int64_t pid = run_.gpus;
    writer_.process(pid, "links");
    for (const LevelUse& use : run_.link_use) {
      const std::string name = fmt::format("{} links in use", name_of(use.level));
      for (const LevelUse::Sample& s : thin_use(use.samples, most_samples() * 4))
        writer_.counter(pid, nanoseconds(s.time), name, fmt::format(R"("percent":{:.2f})", 100 * s.fraction));
    }
  }
  void write_sample(std::int64_t pid, std::int64_t ns, const engine::MemorySample& sample) {
    std::string series;
    for (const std::size_t c : classes_)
      series += fmt::format(R"({}"{}":{})", series.empty() ? "" : ",", program::kMemoryClassNames[c], sample.bytes[c]);
    writer_.counter(pid, ns, "memory", series);
  }
  void write_arrow(const Arrow& arrow) {
    const auto point = [&](program::OperationId op, std::int64_t ns) {
      return TracePoint{run_.program.devices[device_of(op)].ranks.front(), thread_[op], ns};
    };
    writer_.arrow(point(arrow.from, arrow.leave), point(arrow.to, arrow.arrive),
                  arrow.forward ? "activation" : "gradient", "pipeline");
  }

  const RunResult& run_;
  const TraceOptions& options_;
  TraceWriter writer_;
  engine::OperationTimes times_;
  TasksByDevice by_;
  std::vector<Arrow> arrows_;
  std::vector<std::int64_t> thread_;  // [operation] of its slice
  std::vector<std::size_t> classes_;  // of memory, in use
};

}  // namespace

TraceSummary write_trace(const RunResult& run, const TraceOptions& options,
                         const std::function<void(std::string_view)>& write) {
  return Trace(run, options, write).write();
}

}  // namespace orrery::report
