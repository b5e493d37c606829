// The split of each device's time (definition: engine/account.hpp).
//
// First the own state of each device is laid out as runs: a run is a stretch in which one work task runs, or in which
// only transfers of one kind move bytes, or in which nothing of the device's own happens. Then each empty run is
// resolved by following what blocks the device. A fused block counts by its inner segments, so fused and unfused agree.
#include <algorithm>
#include <tuple>

#include "orrery/core/error.hpp"
#include "orrery/engine/account.hpp"
#include "participation.hpp"

namespace orrery::engine {
namespace {

using namespace program;

struct Run {
  std::int64_t begin, end;
  Category category;  // bubble = nothing of the device's own
  TaskId task;        // of work, else kNone
  TaskId next;        // of an idle run: the task of its own that ends it
};

struct Change {
  std::int64_t time;
  Category category;
  bool starts;
  TaskId task;
};

class Splitter {
 public:
  Splitter(const Program& program, const Timeline& timeline)
      : program_(program), timeline_(timeline), by_device_(participations(program)) {}

  std::vector<Breakdown> split() {
    for (DeviceIndex d = 0; d < program_.devices.size(); ++d) runs_.push_back(own_runs(d));
    std::vector<Breakdown> result(program_.devices.size(), Breakdown{});
    const std::vector<std::int64_t> ends = step_ends(program_, timeline_);
    const std::int64_t step = timeline_.step_time.value;
    for (DeviceIndex d = 0; d < result.size(); ++d) {
      const std::int64_t end = ends[ends.size() - result.size() + d];
      const std::int64_t begin = program_.steps == 1 ? 0 : std::max<std::int64_t>(0, end - step);
      account(d, begin, begin + step, result[d]);
    }
    return result;
  }

 private:
  std::vector<Run> own_runs(DeviceIndex device) const;
  TaskId first_starting(const std::vector<Change>& changes, std::size_t at) const;
  void account(DeviceIndex device, std::int64_t from, std::int64_t to, Breakdown& into) const;
  void add(Breakdown& into, const Run& run, std::int64_t begin, std::int64_t end, bool own) const;
  void resolve(const Run& idle, std::int64_t begin, std::int64_t end, Breakdown& into) const;
  TaskId last_predecessor(TaskId task) const;
  // Order that does not depend on task ids, so folded and expanded Programs choose alike.
  auto rank_of(TaskId task) const {
    const std::uint32_t operation = program_.participants[program_.participant_begin[task]].operation;
    const Operation op = operation == kNone ? Operation{} : program_.operations[operation];
    return std::make_tuple(program_.template_of(task).category, op.activity, op.stage, op.micro_batch, op.pipe);
  }

  const Program& program_;
  const Timeline& timeline_;
  ByDevice by_device_;
  std::vector<std::vector<Run>> runs_;
};

// Of the tasks that start at the time of changes[at].
TaskId Splitter::first_starting(const std::vector<Change>& changes, std::size_t at) const {
  TaskId best = kNone;
  for (std::size_t i = at; i < changes.size() && changes[i].time == changes[at].time; ++i)
    if (changes[i].starts && (best == kNone || rank_of(changes[i].task) < rank_of(best))) best = changes[i].task;
  return best;
}

std::vector<Run> Splitter::own_runs(DeviceIndex device) const {
  std::vector<Change> changes;
  for (std::uint32_t i = by_device_.begin[device]; i < by_device_.begin[device + 1]; ++i) {
    const TaskId task = by_device_.items[i].task;
    const TaskTemplate& t = program_.template_of(task);
    if (t.category == Category::host || timeline_.start[task] == timeline_.end[task]) continue;
    // A fused block is never idle inside, and only work and its own transfers outrank others: it counts as work here.
    const Category category = t.segments.count > 0 ? Category::compute : t.category;
    changes.push_back({timeline_.start[task], category, true, task});
    changes.push_back({timeline_.end[task], category, false, task});
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return std::tie(a.time, a.starts, a.category, a.task) < std::tie(b.time, b.starts, b.category, b.task);
  });
  std::vector<Run> runs;
  std::array<std::int32_t, kCategories> active{};
  TaskId working = kNone;
  std::int64_t from = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Change& c = changes[i];
    if (c.time > from) {
      std::size_t best = 0;
      while (best < kCategories - 1 && active[best] == 0) ++best;
      const auto category = static_cast<Category>(best);
      runs.push_back({from, c.time, category, is_work(category) ? working : kNone,
                      category == Category::bubble ? first_starting(changes, i) : kNone});
      from = c.time;
    }
    active[static_cast<std::size_t>(c.category)] += c.starts ? 1 : -1;
    if (is_work(c.category)) working = c.starts ? c.task : (working == c.task ? kNone : working);
  }
  if (timeline_.makespan.value > from) runs.push_back({from, timeline_.makespan.value, Category::bubble, kNone, kNone});
  return runs;
}

// Adds [begin, end) of a run: as the device's own time, or as time another device waits for it.
void Splitter::add(Breakdown& into, const Run& run, std::int64_t begin, std::int64_t end, bool own) const {
  const auto put = [&](Category c, std::int64_t amount) {
    into[static_cast<std::size_t>(own || is_transfer(c) ? c : Category::bubble)] += amount;
  };
  if (run.task == kNone) return put(run.category, end - begin);
  const TaskTemplate& t = program_.template_of(run.task);
  if (t.segments.count == 0) return put(t.category, end - begin);
  std::int64_t at = timeline_.start[run.task];
  for (std::uint32_t i = t.segments.first; i < t.segments.first + t.segments.count; ++i) {
    const std::int64_t until = timeline_.start[run.task] + program_.segments[i].end.value;
    const std::int64_t lo = std::max(at, begin), hi = std::min(until, end);
    if (lo < hi) put(program_.segments[i].category, hi - lo);
    at = until;
  }
}

// Of the runs, what lies in [from, to).
void Splitter::account(DeviceIndex device, std::int64_t from, std::int64_t to, Breakdown& into) const {
  const std::vector<Run>& runs = runs_[device];
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    const std::int64_t begin = std::max(from, run.begin), end = std::min(to, run.end);
    if (begin >= end) continue;
    if (run.category != Category::bubble) {
      add(into, run, begin, end, true);
    } else if (i == 0 || i + 1 == runs.size()) {
      into[static_cast<std::size_t>(Category::bubble)] += end - begin;
    } else {
      resolve(run, begin, end, into);
    }
  }
}

TaskId Splitter::last_predecessor(TaskId task) const {
  TaskId best = kNone;
  for (std::uint32_t i = program_.predecessor_begin[task]; i < program_.predecessor_begin[task + 1]; ++i) {
    const TaskId p = program_.predecessors[i];
    if (best == kNone || timeline_.end[p] > timeline_.end[best] ||
        (timeline_.end[p] == timeline_.end[best] && rank_of(p) < rank_of(best)))
      best = p;
  }
  return best;
}

void Splitter::resolve(const Run& idle, std::int64_t begin, std::int64_t end, Breakdown& into) const {
  TaskId at = idle.next;
  check(at != kNone, "an idle stretch of a device ends with a task of its own");
  while (begin < end) {
    at = last_predecessor(at);
    if (at == kNone) {  // nothing blocked it: it was not there to run (time before the first task of its chain)
      into[static_cast<std::size_t>(Category::bubble)] += end - begin;
      return;
    }
    const std::int64_t from = std::max(begin, timeline_.start[at]);
    if (from >= end) continue;
    const TaskTemplate& t = program_.template_of(at);
    if (t.category == Category::host || t.category >= Category::expert_comm) {
      into[static_cast<std::size_t>(t.category)] += end - from;
    } else {  // part of a pass: what its device is doing, piece by piece
      const DeviceIndex other = program_.participants[program_.participant_begin[at]].device;
      const std::vector<Run>& runs = runs_[other];
      auto it =
          std::upper_bound(runs.begin(), runs.end(), from, [](std::int64_t x, const Run& r) { return x < r.end; });
      for (; it != runs.end() && it->begin < end; ++it)
        add(into, *it, std::max(from, it->begin), std::min(end, it->end), false);
    }
    end = from;
  }
}

}  // namespace

std::vector<Breakdown> split_time(const Program& program, const Timeline& timeline) {
  return Splitter(program, timeline).split();
}

}  // namespace orrery::engine
