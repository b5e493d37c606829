// Three books, each one pass over the tasks, that share no code with what they audit.
//
// Order: every task starts when its last predecessor ends, and no lane of a device does two things at once.
//
// Bounds: critical path ≤ makespan ≤ serial sum. With end' the times of the longest path of nominal durations,
// end'(t) = max end'(predecessors) + nominal(t) ≤ max end(predecessors) + played(t) = end(t) by induction, if each task
// starts when its last predecessor ends (order) and nothing is played quicker than nominal: the last is checked here.
//
// Of a task that is not as quick all through the step, the parts of it that each stretch lets be done sum to all of it
// at its end, and not before: Σ (time of it in the stretch)/(what it takes in its state) ≥ 1. Nothing is quicker for
// what passes than without it.
//
// Split: Σ parts = step; the work of a device by category = its kernels by category, as the Program has them; a device
// waits for no more than there is: in no category longer than all tasks of it take, in `bubble` no longer than the
// others work.
#include "time_books.hpp"

#include <algorithm>

#include "orrery/core/error.hpp"
#include "orrery/engine/within.hpp"

namespace orrery::engine {
namespace {

using namespace program;

constexpr std::size_t index(Category c) {
  return static_cast<std::size_t>(c);
}

// Messages are free of lanes: several may be under way between two ranks.
constexpr bool keeps_order(Lane lane) {
  return lane != Lane::pipeline_send && lane != Lane::pipeline_receive;
}

// What of a task lies in [from, to), by category.
void add_parts(const Program& program, const TaskTemplate& t, const Within& inside, std::int64_t end, std::int64_t from,
               std::int64_t to, Breakdown& into) {
  const auto add = [&](Category c, std::int64_t begin, std::int64_t until) {
    into[index(c)] += std::max<std::int64_t>(0, std::min(until, to) - std::max(begin, from));
  };
  if (t.segments.count == 0) return add(t.category, inside.start(), end);
  std::int64_t at = inside.start();
  for (std::uint32_t i = t.segments.first; i < t.segments.first + t.segments.count; ++i) {
    const std::int64_t until = inside.at(program.segments[i].end.value);
    add(program.segments[i].category, at, until);
    at = until;
  }
}

// Time of the tasks by category: of each device in its step, and of all it does; and of every task of the Program once.
struct TaskTimes {
  std::vector<Breakdown> in_step, in_all;
  std::array<Int128, kCategories> of_tasks{};
};

TaskTimes task_times(const Program& program, const Timeline& timeline) {
  const std::size_t devices = program.devices.size();
  TaskTimes times{std::vector<Breakdown>(devices), std::vector<Breakdown>(devices), {}};
  const std::vector<std::int64_t> ends = step_ends(program, timeline);
  std::vector<std::int64_t> begin(devices, 0);
  for (std::size_t d = 0; d < devices && program.steps > 1; ++d)
    begin[d] = std::max<std::int64_t>(0, ends[ends.size() - devices + d] - timeline.step_time.value);
  std::vector<Breakdown> whole(program.templates.size());  // of fused blocks
  for (std::size_t i = 0; i < whole.size(); ++i)
    if (const TaskTemplate& t = program.templates[i]; t.segments.count > 0)
      add_parts(program, t, Within(), t.duration.value, 0, t.duration.value, whole[i]);
  for (TaskId task = 0; task < program.tasks(); ++task) {
    const TaskTemplate& t = program.template_of(task);
    const std::int64_t start = timeline.start[task], end = timeline.end[task];
    const Within inside(program, timeline, task);
    Breakdown parts{};
    if (t.segments.count > 0 && !inside.slowed())
      parts = whole[program.task_template[task]];
    else
      add_parts(program, t, inside, end, start, end, parts);
    for (std::size_t c = 0; c < kCategories; ++c) times.of_tasks[c] += parts[c];
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i) {
      const DeviceIndex d = program.participants[i].device;
      const std::int64_t until = begin[d] + timeline.step_time.value;
      for (std::size_t c = 0; c < kCategories; ++c) times.in_all[d][c] += parts[c];
      if (start >= begin[d] && end <= until) {
        for (std::size_t c = 0; c < kCategories; ++c) times.in_step[d][c] += parts[c];
      } else {
        add_parts(program, t, inside, end, begin[d], until, times.in_step[d]);
      }
    }
  }
  return times;
}

std::int64_t work_in(const Breakdown& b) {
  return b[index(Category::compute)] + b[index(Category::recompute)] + b[index(Category::optimizer)];
}

}  // namespace

void audit_order(const Program& program, const Timeline& timeline, std::vector<std::string>& wrong) {
  Findings order(wrong, "order"), lanes(wrong, "lanes");
  std::vector<std::int64_t> free(program.devices.size() * kLanes, 0);
  for (TaskId task = 0; task < program.tasks(); ++task) {
    std::int64_t ready = 0;
    for (std::uint32_t i = program.predecessor_begin[task]; i < program.predecessor_begin[task + 1]; ++i) {
      const TaskId before = program.predecessors[i];
      if (before >= task) order.add("task {} waits for task {}, which does not come before it", task, before);
      ready = std::max(ready, timeline.end[before]);
    }
    if (timeline.start[task] != ready || timeline.end[task] < timeline.start[task])
      order.add("task {} starts at {} ps, its last predecessor ends at {} ps", task, timeline.start[task], ready);
    const TaskTemplate& t = program.template_of(task);
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i) {
      const Lane lane = i == program.participant_begin[task] ? t.lane : t.partner_lane;
      if (!keeps_order(lane)) continue;
      const DeviceIndex d = program.participants[i].device;
      std::int64_t& until = free[d * kLanes + static_cast<std::size_t>(lane)];
      if (timeline.start[task] < until)
        lanes.add("task {} starts at {} ps on lane {} of device {}, which is busy until {} ps", task,
                  timeline.start[task], kLaneNames[static_cast<std::size_t>(lane)], d, until);
      until = std::max(until, timeline.end[task]);
    }
  }
}

namespace {

constexpr Int128 kAll = Int128{1} << 110;  // that there is to do of a task

// What is done of it in [start, end), each stretch rounded down.
Int128 done(const Stretches& s, std::uint32_t pace, std::int64_t start, std::int64_t end) {
  Int128 sum = 0;
  for (std::size_t i = 0; i <= s.begin.size(); ++i) {
    const std::int64_t until = i == s.begin.size() ? INT64_MAX : s.begin[i].value;
    const std::int64_t from = i == 0 ? start : std::max(start, s.begin[i - 1].value), to = std::min(end, until);
    const Time takes = s.takes[std::size_t{pace} * s.states + (i == 0 ? 0 : s.state[i - 1])];
    if (to < from || from == until || takes == Stretches::kStands) continue;
    if (to - from >= takes.value) return kAll;
    sum += (to - from) * (kAll / takes.value);
  }
  return sum;
}

// To a hundredth of a picosecond of the task as its template says it; rounded down, not one in 2^110 a picosecond is
// lost.
void audit_pace(const Program& program, const Timeline& timeline, TaskId task, bool longer, Findings& bounds) {
  const Int128 duration = program.template_of(task).duration.value;
  if (duration == 0) return;
  const std::uint32_t pace = program.stretches.pace[task];
  const std::int64_t start = timeline.start[task], end = timeline.end[task];
  const bool all = done(program.stretches, pace, start, end) >= kAll - kAll / duration / 100;
  const bool before = done(program.stretches, pace, start, end - 1) >= kAll - (end - start);
  if (!all || (before && !longer))
    bounds.add("task {} of [{}, {}) ps has {} to do when it ends", task, start, end, all ? "nothing" : "more");
}

// What a transfer takes in the state in which that is least.
std::int64_t least_of(const Program& program, TaskId task) {
  std::int64_t least = program.template_of(task).duration.value;
  if (!program.stretches.any() || program.stretches.pace[task] == kNone) return least;
  const Stretches& s = program.stretches;
  for (std::uint32_t i = 0; i < s.states; ++i)
    if (const Time takes = s.takes[std::size_t{s.pace[task]} * s.states + i]; takes != Stretches::kStands)
      least = std::min(least, takes.value);
  return least;
}

}  // namespace

void audit_bounds(const Program& program, const Timeline& timeline, std::vector<std::string>& wrong) {
  Findings bounds(wrong, "bounds");
  const bool shares = !timeline.limited_by.empty();
  std::int64_t last = 0;
  Int128 serial = 0;
  for (TaskId task = 0; task < program.tasks(); ++task) {
    const TaskTemplate& t = program.template_of(task);
    const std::int64_t played = timeline.end[task] - timeline.start[task];
    const bool shared = shares && t.transfer != kNone, longer = t.slowdown_class != 0 || shared;
    if (program.stretches.any() && program.stretches.pace[task] != kNone && !shared)
      audit_pace(program, timeline, task, longer, bounds);
    else if (longer ? played < least_of(program, task) : played != t.duration.value)
      bounds.add("task {} takes {} ps, by its template {} ps", task, played, t.duration.value);
    last = std::max(last, timeline.end[task]);
    serial += played;
  }
  if (timeline.makespan.value != last)
    bounds.add("the makespan is {} ps, the last task ends at {} ps", timeline.makespan.value, last);
  if (timeline.makespan.value > serial)
    bounds.add("the makespan is {} ps, all tasks one after the other take {} ps", timeline.makespan.value, serial);
  if (timeline.step_time.value > timeline.makespan.value)
    bounds.add("the step takes {} ps, all steps {} ps", timeline.step_time.value, timeline.makespan.value);
}

void audit_split(const Program& program, const Timeline& timeline, const std::vector<Breakdown>& split,
                 std::vector<std::string>& wrong) {
  Findings sums(wrong, "sums"), kernels(wrong, "kernels"), waits(wrong, "waits");
  const TaskTimes times = task_times(program, timeline);
  Int128 work = 0;
  for (const Breakdown& b : times.in_all) work += work_in(b);
  for (DeviceIndex d = 0; d < split.size(); ++d) {
    std::int64_t sum = 0;
    for (const std::int64_t part : split[d]) sum += part;
    if (sum != timeline.step_time.value)
      sums.add("the time of device {} sums to {} ps, the step takes {} ps", d, sum, timeline.step_time.value);
    for (std::size_t c = 0; c < kCategories; ++c) {
      if (split[d][c] < 0) sums.add("device {} has {} ps of {}", d, split[d][c], kCategoryNames[c]);
      if (is_work(static_cast<Category>(c))) {
        if (split[d][c] != times.in_step[d][c])
          kernels.add("device {} has {} ps of {}, its kernels take {} ps", d, split[d][c], kCategoryNames[c],
                      times.in_step[d][c]);
      } else if (c == index(Category::bubble)) {
        if (split[d][c] > work - work_in(times.in_all[d]))
          waits.add("device {} waits {} ps for work of others, who work for {} ps", d, split[d][c],
                    work - work_in(times.in_all[d]));
      } else if (split[d][c] > times.of_tasks[c]) {
        waits.add("device {} has {} ps of {}, all there is takes {} ps", d, split[d][c], kCategoryNames[c],
                  times.of_tasks[c]);
      }
    }
  }
}

}  // namespace orrery::engine
