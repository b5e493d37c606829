// The split of each device's time (definition: engine/account.hpp).
//
// First the own state of each device is laid out as runs (device_runs.hpp). Then each in which nothing of the device's
// own happens is resolved by following what the device waits for, from its next task backwards. A fused block counts by
// its inner segments, so fused and unfused agree.
#include <algorithm>

#include "device_runs.hpp"
#include "orrery/core/error.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/engine/within.hpp"
#include "segment_sums.hpp"
#include "stretches_along.hpp"

namespace orrery::engine {
namespace {

using namespace program;

// Where a device is in following what it waits for: `at` waits until `until` for its last predecessor.
struct Chain {
  TaskId next, at;
  std::int64_t until;
};

class Splitter {
 public:
  Splitter(const Program& program, const Timeline& timeline)
      : program_(program), timeline_(timeline), own_runs_(program, timeline), sums_(program), last_(last_task()) {}

  std::vector<Breakdown> split() {
    prepare();
    std::vector<Breakdown> result(program_.devices.size(), Breakdown{});
    for (DeviceIndex d = 0; d < result.size(); ++d) account_step(d, result[d]);
    return result;
  }

  std::vector<std::vector<Wait>> waits(std::span<const DeviceIndex> devices) {
    prepare();
    std::vector<std::vector<Wait>> result;
    for (const DeviceIndex d : devices) {
      std::vector<Wait>& of = result.emplace_back();
      waits_ = &of;
      Breakdown unused{};
      account_step(d, unused);
      join_neighbours(of);
    }
    return result;
  }

  std::vector<PathStretch> along(std::span<const PathTask> path) {
    runs_.resize(program_.devices.size());
    met_.assign(runs_.size(), 0);
    std::vector<PathStretch> stretches;
    stretches_ = &stretches;
    Breakdown unused{};
    for (const PathTask& p : path) {
      const DeviceIndex d = program_.participant(p.task).device;
      if (runs_[d].empty()) runs_[d] = own_runs_.of(d);
      path_task_ = p.task;
      put_task(p.task, p.begin, p.end, true, unused);
    }
    stretches_ = nullptr;
    return stretches;
  }

 private:
  void prepare() {
    for (DeviceIndex d = 0; d < program_.devices.size(); ++d) runs_.push_back(own_runs_.of(d));
    met_.assign(runs_.size(), 0);
    ends_ = step_ends(program_, timeline_);
  }
  void account_step(DeviceIndex d, Breakdown& into) {
    const std::int64_t step = timeline_.step_time.value, end = ends_[ends_.size() - program_.devices.size() + d];
    const std::int64_t begin = program_.steps == 1 ? 0 : std::max<std::int64_t>(0, end - step);
    account(d, begin, begin + step, into);
  }
  static void join_neighbours(std::vector<Wait>& waits);
  void account(DeviceIndex device, std::int64_t from, std::int64_t to, Breakdown& into);
  void add(Breakdown& into, const Run& run, std::int64_t begin, std::int64_t end, bool own);
  void put(Breakdown& into, Category category, std::int64_t begin, std::int64_t end, bool own) const;
  void resolve(std::int64_t begin, std::int64_t end, Chain& chain, Breakdown& into);
  void put_task(TaskId task, std::int64_t begin, std::int64_t end, bool own, Breakdown& into);
  // Work of another device is a bubble.
  static Category as_wait(Category c) { return is_work(c) ? Category::bubble : c; }
  std::vector<Run>::const_iterator run_at(DeviceIndex device, std::int64_t time);
  TaskId last_predecessor(TaskId task);
  TaskId find_last_predecessor(TaskId task) const;
  TaskId last_task() const;
  bool ends_later(TaskId task, TaskId than) const;

  const Program& program_;
  const Timeline& timeline_;
  DeviceRuns own_runs_;
  SegmentSums sums_;
  TaskId last_;  // the one the step ends with
  static constexpr TaskId kUnknown = kNone - 1;
  std::vector<TaskId> before_;  // [task] its last predecessor
  std::vector<std::vector<Run>> runs_;
  std::vector<std::size_t> met_;                   // [device] the run of it that was looked at last
  std::vector<std::int64_t> ends_;                 // of steps, by device
  std::vector<Wait>* waits_ = nullptr;             // where asked for
  TaskId next_ = kNone, cause_ = kNone;            // of what is accounted now
  std::vector<PathStretch>* stretches_ = nullptr;  // along a path
  TaskId path_task_ = kNone;                       // of it, now
};

void Splitter::join_neighbours(std::vector<Wait>& waits) {
  std::sort(waits.begin(), waits.end(), [](const Wait& a, const Wait& b) { return a.begin < b.begin; });
  std::size_t kept = 0;
  for (const Wait& w : waits) {
    Wait* const last = kept > 0 ? &waits[kept - 1] : nullptr;
    if (last && last->end == w.begin && last->category == w.category && last->next == w.next && last->cause == w.cause)
      last->end = w.end;
    else
      waits[kept++] = w;
  }
  waits.resize(kept);
}

// A stretch of the device's own time, or of what it waits for.
void Splitter::put(Breakdown& into, Category c, std::int64_t begin, std::int64_t end, bool own) const {
  if (!own) c = as_wait(c);
  into[static_cast<std::size_t>(c)] += end - begin;
  if (stretches_) stretches_->push_back({begin, end, c, path_task_});
  if (waits_ && (!own || c == Category::host))
    waits_->push_back({begin, end, c, own ? kNone : next_, own ? kNone : cause_});
}

// Adds [begin, end) of a run: as the device's own time, or as time another device waits for it.
void Splitter::add(Breakdown& into, const Run& run, std::int64_t begin, std::int64_t end, bool own) {
  if (run.task == kNone) return put(into, run.category, begin, end, own);
  const Within inside(program_, timeline_, run.task);
  if (waits_ == nullptr && stretches_ == nullptr && !inside.slowed()) {
    const TemplateId of = program_.task_template[run.task];
    Breakdown sum = sums_.until(of, end - inside.start());
    if (begin > inside.start()) {
      const Breakdown before = sums_.until(of, begin - inside.start());
      for (std::size_t c = 0; c < kCategories; ++c) sum[c] -= before[c];
    }
    for (std::size_t c = 0; c < kCategories; ++c) {
      const auto category = static_cast<Category>(c);
      into[static_cast<std::size_t>(own ? category : as_wait(category))] += sum[c];
    }
    return;
  }
  const TaskTemplate& t = program_.template_of(run.task);
  const auto first = program_.segments.begin() + t.segments.first, last = first + t.segments.count;
  auto segment = std::upper_bound(first, last, begin,
                                  [&](std::int64_t at, const Segment& s) { return at < inside.at(s.end.value); });
  for (std::int64_t at = begin; segment != last && at < end; ++segment) {
    const std::int64_t until = std::min(end, inside.at(segment->end.value));
    if (at < until) put(into, segment->category, at, until, own);
    at = until;
  }
}

// Of the runs, what lies in [from, to).
void Splitter::account(DeviceIndex device, std::int64_t from, std::int64_t to, Breakdown& into) {
  const std::vector<Run>& runs = runs_[device];
  Chain chain{kNone, kNone, -1};
  for (std::size_t i = runs.size(); i-- > 0;) {
    const Run& run = runs[i];
    const std::int64_t begin = std::max(from, run.begin), end = std::min(to, run.end);
    if (begin >= end) continue;
    if (run.category != Category::bubble) {
      add(into, run, begin, end, true);
      continue;
    }
    if (chain.until < 0 || chain.next != run.next)
      chain = {run.next, run.next, run.next == kNone ? timeline_.makespan.value : timeline_.start[run.next]};
    resolve(begin, end, chain, into);
  }
}

bool Splitter::ends_later(TaskId task, TaskId than) const {
  if (than == kNone) return true;
  if (timeline_.end[task] != timeline_.end[than]) return timeline_.end[task] > timeline_.end[than];
  return rank_of(program_, task) < rank_of(program_, than);
}

// Devices that wait for one follow one chain.
TaskId Splitter::last_predecessor(TaskId task) {
  if (before_.empty()) before_.assign(program_.tasks(), kUnknown);
  if (before_[task] == kUnknown) before_[task] = find_last_predecessor(task);
  return before_[task];
}

TaskId Splitter::find_last_predecessor(TaskId task) const {
  TaskId best = kNone;
  for (std::uint32_t i = program_.predecessor_begin[task]; i < program_.predecessor_begin[task + 1]; ++i)
    if (ends_later(program_.predecessors[i], best)) best = program_.predecessors[i];
  return best;
}

TaskId Splitter::last_task() const {
  TaskId best = kNone;
  for (TaskId task = 0; task < program_.tasks(); ++task)
    if (ends_later(task, best)) best = task;
  return best;
}

// Follows the chain back to `begin`; of it [begin, end) counts.
void Splitter::resolve(std::int64_t begin, std::int64_t end, Chain& chain, Breakdown& into) {
  next_ = chain.next;
  while (chain.until > begin) {
    const TaskId before = chain.at == kNone ? last_ : last_predecessor(chain.at);
    cause_ = before;
    if (before == kNone) return put(into, Category::bubble, begin, std::min(end, chain.until), false);
    const std::int64_t from = std::max(begin, timeline_.start[before]), to = std::min(end, chain.until);
    if (from < to) put_task(before, from, to, false, into);
    if (timeline_.start[before] < begin) return;  // what is waited for before `begin`, too
    chain.at = before;
    chain.until = timeline_.start[before];
  }
}

// The run of a device at a time. They follow one another without a gap, and are mostly asked for one before another.
std::vector<Run>::const_iterator Splitter::run_at(DeviceIndex device, std::int64_t time) {
  constexpr std::size_t kNear = 8;
  const std::vector<Run>& runs = runs_[device];
  std::size_t& at = met_[device];
  for (std::size_t i = 0; i < kNear && at > 0 && time < runs[at].begin; ++i) --at;
  if (at < runs.size() && time >= runs[at].begin && time < runs[at].end)
    return runs.begin() + static_cast<std::ptrdiff_t>(at);
  const auto found = std::ranges::upper_bound(runs, time, {}, &Run::end);
  if (found != runs.end()) at = static_cast<std::size_t>(found - runs.begin());
  return found;
}

// Time in which a task runs, and a device waits for it (or it is on a path, `own`).
void Splitter::put_task(TaskId task, std::int64_t begin, std::int64_t end, bool own, Breakdown& into) {
  const TaskTemplate& t = program_.template_of(task);
  if (t.lane == Lane::host || (t.segments.count == 0 && is_beside_passes(t.category)))
    return put(into, t.category, begin, end, own);
  // Part of a pass: what its device is doing, piece by piece.
  const DeviceIndex device = program_.participant(task).device;
  const std::vector<Run>& runs = runs_[device];
  auto it = run_at(device, begin);
  for (; it != runs.end() && it->begin < end; ++it)
    add(into, *it, std::max(begin, it->begin), std::min(end, it->end), own);
}

}  // namespace

std::vector<Breakdown> split_time(const Program& program, const Timeline& timeline) {
  return Splitter(program, timeline).split();
}

std::vector<PathStretch> stretches_along(const Program& program, const Timeline& timeline,
                                         std::span<const PathTask> path) {
  return Splitter(program, timeline).along(path);
}

std::vector<std::vector<Wait>> waits_of(const Program& program, const Timeline& timeline,
                                        std::span<const DeviceIndex> devices) {
  return Splitter(program, timeline).waits(devices);
}

}  // namespace orrery::engine
