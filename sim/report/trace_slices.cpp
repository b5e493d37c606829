#include "trace_slices.hpp"

#include <algorithm>
#include <tuple>

#include "orrery/program/builder.hpp"
#include "trace_writer.hpp"

namespace orrery::report {
namespace {

using program::Activity;
using program::kNone;
using program::Lane;
using program::Program;

constexpr bool is_pass(Activity activity) {
  return activity <= Activity::overlapped;
}

class Collector {
 public:
  Collector(const RunResult& run, const engine::OperationTimes& times, bool inner)
      : run_(run), times_(times), inner_(inner) {}

  void add(program::TaskId task, std::uint32_t participant) {
    const program::TaskTemplate& t = run_.program.template_of(task);
    const program::OperationId op =
        run_.program.participants[run_.program.participant_begin[task] + participant].operation;
    const bool pass = op != kNone && is_pass(run_.program.operations[op].activity);
    Slice slice{nanoseconds(run_.timeline.start[task]), nanoseconds(run_.timeline.end[task])};
    slice.lane = participant == 0 ? t.lane : t.partner_lane;
    slice.category = t.category;
    slice.operation = op;
    slice.task = task;
    slice.receives = participant > 0 && t.lane != t.partner_lane;
    if (pass) add_operation(op);
    if (pass && slice.lane == Lane::compute) {
      if (inner_) add_inner(slice, t);
    } else if (slice.start < slice.end) {
      slices.push_back(slice);  // what takes no time is not to be seen
    }
  }

  std::vector<Slice> slices, nested;

 private:
  // An operation is one slice; its tasks mostly follow each other, and assign_rows() drops what is left of repeats.
  void add_operation(program::OperationId op) {
    if (op == last_) return;
    last_ = op;
    Slice slice{nanoseconds(times_.start[op]), nanoseconds(times_.end[op])};
    slice.operation = op;
    slices.push_back(slice);
  }

  // The parts of a fused block, or the one kernel of a task.
  void add_inner(Slice slice, const program::TaskTemplate& t) {
    slice.nested = true;
    const std::int64_t start = run_.timeline.start[slice.task], end = run_.timeline.end[slice.task];
    if (t.segments.count == 0 && slice.start < slice.end) nested.push_back(slice);
    for (std::uint32_t i = t.segments.first; i < t.segments.first + t.segments.count; ++i) {
      const program::Segment& segment = run_.program.segments[i];
      slice.end = nanoseconds(std::min(start + segment.end.value, end));
      slice.category = segment.category;
      if (slice.start < slice.end) nested.push_back(slice);
      slice.start = slice.end;
    }
  }

  const RunResult& run_;
  const engine::OperationTimes& times_;
  bool inner_;
  program::OperationId last_ = kNone;
};

// Interval colouring: each slice, by start, goes to the first row that is free. Lanes are in order but for messages,
// several of which may be under way; two that overlap in part on one thread would be dropped by viewers.
void assign_rows(DeviceSlices& result) {
  const auto key = [](const Slice& s) { return std::make_tuple(s.lane, s.start, s.end, s.task, s.operation); };
  std::sort(result.slices.begin(), result.slices.end(),
            [&](const Slice& a, const Slice& b) { return key(a) < key(b); });
  const auto repeats = [](const Slice& a, const Slice& b) {
    return a.task == kNone && b.task == kNone && a.operation == b.operation;
  };
  result.slices.erase(std::unique(result.slices.begin(), result.slices.end(), repeats), result.slices.end());
  std::vector<std::int64_t> free_at;
  for (std::size_t i = 0; i < result.slices.size(); ++i) {
    Slice& slice = result.slices[i];
    if (i == 0 || slice.lane != result.slices[i - 1].lane) free_at.clear();
    const auto row =
        std::find_if(free_at.begin(), free_at.end(), [&](std::int64_t free) { return free <= slice.start; });
    slice.row = static_cast<std::uint32_t>(row - free_at.begin());
    if (row == free_at.end()) free_at.push_back(0);
    free_at[slice.row] = slice.end;
    std::uint32_t& rows = result.rows[static_cast<std::size_t>(slice.lane)];
    rows = std::max(rows, slice.row + 1);
  }
}

// Viewers add ts and dur as doubles of microseconds, speedscope after taking the first ts of the thread off; a sum that
// rounds up past the start of the next slice makes the two overlap. Such a slice is written a nanosecond shorter.
struct Sums {
  double plain, shifted;
};
Sums sums(std::int64_t start, std::int64_t length, std::int64_t first) {
  const double ts = static_cast<double>(start) / 1000, dur = static_cast<double>(length) / 1000;
  return {ts + dur, ts - static_cast<double>(first) / 1000 + dur};
}
void shorten(Slice& slice, std::int64_t first, const Sums& limit) {
  const auto late = [&](const Sums& s) { return s.plain > limit.plain || s.shifted > limit.shifted; };
  while (slice.end > slice.start && late(sums(slice.start, slice.end - slice.start, first))) --slice.end;
}

// Slices stand by lane and start, so the first of a row has its first ts.
std::vector<std::int64_t> shorten_all(std::vector<Slice>& slices) {
  std::vector<std::int64_t> first_of_slice, first_of_row;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    if (i == 0 || slices[i].lane != slices[i - 1].lane) first_of_row.clear();
    if (slices[i].row == first_of_row.size()) first_of_row.push_back(slices[i].start);
    const std::int64_t first = first_of_row[slices[i].row];
    shorten(slices[i], first, sums(slices[i].end, 0, first));
    first_of_slice.push_back(first);
  }
  return first_of_slice;
}

// What is nested stands in the row of its operation and does not end after it.
void append_nested(std::vector<Slice>& nested, const std::vector<std::int64_t>& first_of_slice, DeviceSlices& result) {
  std::vector<std::pair<program::OperationId, std::size_t>> whole;
  for (std::size_t i = 0; i < result.slices.size(); ++i)
    if (result.slices[i].task == kNone) whole.emplace_back(result.slices[i].operation, i);
  std::sort(whole.begin(), whole.end());
  for (Slice& slice : nested) {
    const auto at = std::lower_bound(whole.begin(), whole.end(), std::pair(slice.operation, std::size_t{0}))->second;
    const Slice& operation = result.slices[at];
    const std::int64_t first = first_of_slice[at];
    slice.row = operation.row;
    shorten(slice, first, sums(slice.end, 0, first));
    shorten(slice, first, sums(operation.start, operation.end - operation.start, first));
  }
  result.slices.insert(result.slices.end(), nested.begin(), nested.end());
}

}  // namespace

TasksByDevice tasks_by_device(const Program& program) {
  TasksByDevice by;
  by.begin.assign(program.devices.size() + 1, 0);
  by.items.resize(program.participants.size());
  for (const program::Participant& p : program.participants) ++by.begin[p.device + 1];
  for (std::size_t d = 0; d < program.devices.size(); ++d) by.begin[d + 1] += by.begin[d];
  std::vector<std::uint32_t> fill(by.begin.begin(), by.begin.end() - 1);
  for (program::TaskId task = 0; task < program.tasks(); ++task)
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i)
      by.items[fill[program.participants[i].device]++] = {task, i - program.participant_begin[task]};
  return by;
}

DeviceSlices slices_of(const RunResult& run, const engine::OperationTimes& times, const TasksByDevice& by,
                       program::DeviceIndex device, bool inner) {
  Collector collector(run, times, inner);
  for (std::uint32_t i = by.begin[device]; i < by.begin[device + 1]; ++i)
    collector.add(by.items[i].task, by.items[i].participant);
  DeviceSlices result;
  result.slices = std::move(collector.slices);
  assign_rows(result);
  const std::vector<std::int64_t> first_of_slice = shorten_all(result.slices);
  append_nested(collector.nested, first_of_slice, result);
  return result;
}

std::string slice_name(const Program& program, const Slice& slice) {
  const bool operation = slice.operation != kNone;
  const Activity activity = operation ? program.operations[slice.operation].activity : Activity::host;
  if (operation && (slice.task == kNone || !is_pass(activity))) {
    std::string name = program::operation_name(program.operations[slice.operation]);
    const bool message = activity == Activity::send_forward || activity == Activity::send_backward;
    if (message && slice.receives) name.replace(0, name.find(' '), "receive");
    return name;
  }
  const program::TaskTemplate& t = program.template_of(slice.task);
  const bool part = t.segments.count > 0 || std::string_view(t.name).empty();
  return std::string(part ? program::kCategoryNames[static_cast<std::size_t>(slice.category)] : t.name);
}

}  // namespace orrery::report
