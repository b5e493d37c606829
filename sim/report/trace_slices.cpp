#include "trace_slices.hpp"

#include <algorithm>
#include <tuple>

#include "orrery/engine/within.hpp"
#include "orrery/program/builder.hpp"
#include "trace_writer.hpp"

namespace orrery::report {
namespace {

using program::Activity;
using program::Category;
using program::kNone;
using program::Lane;
using program::PassPart;
using program::Program;

constexpr bool is_pass(Activity activity) {
  return activity <= Activity::overlapped;
}

// The slices of one device, task by task.
class Collector {
 public:
  Collector(const SliceSource& source) : run_(source.run), program_(source.run.program), source_(source) {}

  void add(program::TaskId task, std::uint32_t participant) {
    const program::TaskTemplate& t = program_.template_of(task);
    const program::OperationId op = program_.participant(task, participant).operation;
    const bool pass = op != kNone && is_pass(program_.operations[op].activity);
    const Lane lane = participant == 0 ? t.lane : t.partner_lane;
    if (pass) add_pass(op, task, t);
    if (pass && lane == Lane::compute) {
      if (inside()) add_inside(task, t, op);
    } else if (!pass || inside()) {
      add_task(task, t, op, lane, participant > 0 && t.lane != t.partner_lane);
    }
  }

  std::vector<Slice> slices;

 private:
  bool inside() const { return source_.detail >= TraceDetail::layer; }
  Slice slice_of(program::TaskId task, program::OperationId op, std::size_t track) const {
    Slice slice{nanoseconds(run_.timeline.start[task]), nanoseconds(run_.timeline.end[task])};
    slice.track = track, slice.operation = op, slice.task = task;
    return slice;
  }
  // What takes no time is not to be seen.
  void push(const Slice& slice) {
    if (slice.start < slice.end) slices.push_back(slice);
  }

  // An operation is one slice of the first row; its tasks mostly follow each other, and assign_rows() joins the rest.
  void add_pass(program::OperationId op, program::TaskId task, const program::TaskTemplate& t) {
    if (op != last_) {
      last_ = op;
      Slice slice{nanoseconds(source_.times.start[op]), nanoseconds(source_.times.end[op])};
      slice.name = program::activity_name(program_.operations[op].activity);
      slice.operation = op, slice.task = task;
      at_ = slices.size();
      slices.push_back(slice);
    }
    slices[at_].work += work_in(task, t);
  }
  std::int64_t work_in(program::TaskId task, const program::TaskTemplate& t) const {
    if (t.segments.count == 0) return is_work(t.category) ? run_.timeline.end[task] - run_.timeline.start[task] : 0;
    const engine::Within inside(program_, run_.timeline, task);
    std::int64_t sum = 0, from = inside.start();
    for (std::uint32_t i = t.segments.first; i < t.segments.first + t.segments.count; ++i) {
      const program::Segment& segment = program_.segments[i];
      const std::int64_t until = inside.at(segment.end.value);
      if (is_work(segment.category)) sum += until - from;
      from = until;
    }
    return sum;
  }

  // Beside the passes, and a call of theirs that is a task of its own. Messages and launches are no part of a step as a
  // whole.
  void add_task(program::TaskId task, const program::TaskTemplate& t, program::OperationId op, Lane lane,
                bool receives) {
    const bool small = lane == Lane::host || t.category == Category::pipeline_comm;
    if (source_.detail == TraceDetail::step && small) return;
    Slice slice = slice_of(task, op, lane == Lane::compute ? kPasses : track_of(lane));
    slice.category = t.category, slice.receives = receives;
    slice.name = task_name(program_, task);
    if (receives && t.category == Category::pipeline_comm && slice.name.starts_with("send "))
      slice.name = slice.name == "send gradient" ? "receive gradient" : "receive activation";
    if (t.inside != kNone) set_part(slice, program_.insides[t.inside].first);
    push(slice);
    if (lane == Lane::compute && inside()) {
      slice.track = track_of(Lane::compute);
      push(slice);
    }
  }

  void set_part(Slice& slice, std::uint32_t index) const {
    const PassPart& part = program_.parts[index];
    slice.part = index, slice.category = part.category;
    slice.layer = layer_of(run_, program_.operations[slice.operation], part);
  }

  // The steps of a pass: of a task that is one of them, for as long as it took; of a block, as it was laid out.
  void add_inside(program::TaskId task, const program::TaskTemplate& t, program::OperationId op) {
    const program::Range all = t.inside == kNone ? program::Range{} : program_.insides[t.inside];
    if (all.count == 0) {
      Slice slice = slice_of(task, op, track_of(t.category == Category::host ? Lane::host : Lane::compute));
      slice.category = t.category;
      slice.name = t.category == Category::host                          ? "launch"
                   : source_.detail == TraceDetail::operators && *t.name ? t.name
                                                                         : work_name(op, t.category, false);
      if (t.duration.value > 0) push(slice);
      return;
    }
    const engine::Within inside_task(program_, run_.timeline, task);
    for (std::uint32_t i = all.first; i < all.first + all.count; ++i) {
      const PassPart& part = program_.parts[i];
      Slice slice = slice_of(task, op, track_of(part.lane));
      if (all.count > 1 || t.segments.count > 0)
        slice.start = nanoseconds(inside_task.at(part.start.value)),
        slice.end = nanoseconds(inside_task.at(part.end.value));
      set_part(slice, i);
      slice.name = !is_work(part.category) ? collective_text(part.collective)
                   : source_.detail == TraceDetail::operators && *part.name
                       ? part.name
                       : work_name(op, part.category, part.backward);
      if (!joins_last(slice)) push(slice);
    }
  }
  std::string_view work_name(program::OperationId op, Category category, bool backward) const {
    const Activity activity = program_.operations[op].activity;
    if (category == Category::recompute) return "recompute";
    if (activity == Activity::overlapped) return backward ? "B" : "F";
    return program::activity_name(activity);
  }
  // By layer, kernels that follow each other are one slice.
  bool joins_last(const Slice& slice) {
    if (source_.detail != TraceDetail::layer || !is_work(slice.category) || slices.empty()) return false;
    Slice& last = slices.back();
    const auto kind = [](const Slice& s) { return std::tie(s.track, s.operation, s.category, s.layer, s.name); };
    if (kind(last) != kind(slice) || last.end != slice.start) return false;
    last.end = slice.end, last.part = kNone;
    return true;
  }

  const RunResult& run_;
  const Program& program_;
  const SliceSource& source_;
  program::OperationId last_ = kNone;
  std::size_t at_ = 0;
};

std::string_view wait_name(Category category) {
  constexpr std::array<std::string_view, program::kCategories> names{"bubble",
                                                                     "bubble",
                                                                     "bubble",
                                                                     "wait for tensor communication",
                                                                     "wait for context communication",
                                                                     "wait for expert communication",
                                                                     "wait for data communication",
                                                                     "wait for message",
                                                                     "wait for copy of the host",
                                                                     "wait for optimizer on the host",
                                                                     "wait for host",
                                                                     "bubble"};
  return names[static_cast<std::size_t>(category)];
}

void add_waits(const std::vector<engine::Wait>& waits, std::vector<Slice>& slices) {
  for (const engine::Wait& w : waits) {
    Slice slice{nanoseconds(w.begin), nanoseconds(w.end), wait_name(w.category), kWaits};
    slice.category = w.category, slice.task = w.next, slice.cause = w.cause;
    if (slice.start < slice.end) slices.push_back(slice);
  }
}

// The whole of a step: its passes as one slice.
void join_passes(const Program& program, std::vector<Slice>& slices) {
  std::vector<Slice> kept, whole(static_cast<std::size_t>(program.steps));
  for (const Slice& s : slices) {
    if (s.track != kPasses || s.operation == kNone || !is_pass(program.operations[s.operation].activity)) {
      kept.push_back(s);
      continue;
    }
    Slice& all = whole[program.operations[s.operation].step];
    const std::int64_t work = all.work + s.work, start = all.name.empty() ? s.start : std::min(all.start, s.start);
    const std::int64_t end = std::max(all.end, s.end);
    all = s;
    all.start = start, all.end = end, all.work = work, all.name = "passes";
  }
  for (const Slice& s : whole)
    if (!s.name.empty()) kept.push_back(s);
  slices = std::move(kept);
}

// An operation whose tasks stand apart has a slice for each run of them: one of the whole stays.
void join_repeats(std::vector<Slice>& slices) {
  std::vector<Slice*> passes;
  for (Slice& s : slices)
    if (s.track == kPasses && s.operation != kNone) passes.push_back(&s);
  std::stable_sort(passes.begin(), passes.end(),
                   [](const Slice* a, const Slice* b) { return a->operation < b->operation; });
  for (std::size_t i = 1; i < passes.size(); ++i) {
    if (passes[i]->operation != passes[i - 1]->operation) continue;
    passes[i]->work += passes[i - 1]->work;
    passes[i]->task = std::min(passes[i]->task, passes[i - 1]->task);
    passes[i - 1]->name = {};
  }
  std::erase_if(slices, [](const Slice& s) { return s.name.empty(); });
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

DeviceSlices slices_of(const SliceSource& source, program::DeviceIndex device, const std::vector<engine::Wait>& waits) {
  Collector collector(source);
  for (std::uint32_t i = source.by.begin[device]; i < source.by.begin[device + 1]; ++i)
    collector.add(source.by.items[i].task, source.by.items[i].participant);
  DeviceSlices result;
  result.slices = std::move(collector.slices);
  join_repeats(result.slices);
  if (source.detail == TraceDetail::step) join_passes(source.run.program, result.slices);
  add_waits(waits, result.slices);
  lay_out(result);
  return result;
}

std::string_view collective_text(Collective kind) {
  constexpr std::string_view names[]{"all-reduce", "all-gather", "reduce-scatter", "all-to-all",
                                     "broadcast",  "message",    "dispatch"};
  static_assert(std::size(names) == kCollectives);
  return names[static_cast<std::size_t>(kind)];
}

std::string_view task_name(const Program& program, program::TaskId task) {
  const program::TaskTemplate& t = program.template_of(task);
  const program::OperationId op = program.participant(task).operation;
  const Activity activity = op == kNone ? Activity::host : program.operations[op].activity;
  if (op != kNone && !is_pass(activity)) return program::activity_name(activity);
  if (is_transfer(t.category) && t.calls.count > 0) return collective_text(program.calls[t.calls.first].collective);
  if (is_transfer(t.category) || op == kNone)
    return *t.name ? std::string_view(t.name) : program::kCategoryNames[static_cast<std::size_t>(t.category)];
  return program::activity_name(activity);
}

std::int32_t layer_of(const RunResult& run, const program::Operation& operation, const PassPart& part) {
  const std::int32_t stage =
      part.backward && operation.backward_stage >= 0 ? operation.backward_stage : operation.stage;
  if (part.layer < 0 || stage < 0 || static_cast<std::size_t>(stage) >= run.stages.size()) return part.layer;
  return part.layer + static_cast<std::int32_t>(run.stages[static_cast<std::size_t>(stage)].span.first_layer);
}

}  // namespace orrery::report
