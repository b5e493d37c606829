#include "device_runs.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <span>

#include "orrery/engine/within.hpp"

namespace orrery::engine {

using namespace program;

// Ends before starts at one time, then by category and task.
struct DeviceRuns::Change {
  std::int64_t time;
  std::uint64_t order;

  Change(std::int64_t at, Category category, bool begins, TaskId task)
      : time(at), order((begins ? kStarts : 0) | static_cast<std::uint64_t>(category) << 32 | task) {}
  bool starts() const { return (order & kStarts) != 0; }
  std::size_t category() const { return order >> 32 & 0xff; }
  TaskId task() const { return static_cast<TaskId>(order); }
  bool operator<(const Change& o) const { return time != o.time ? time < o.time : order < o.order; }

 private:
  static constexpr std::uint64_t kStarts = std::uint64_t{1} << 63;
};

DeviceRuns::DeviceRuns(const Program& program, const Timeline& timeline)
    : program_(program), timeline_(timeline), by_device_(participations(program)) {
  for (const TaskTemplate& t : program.templates) {
    const auto segments = std::span(program.segments).subspan(t.segments.first, t.segments.count);
    stands_still_.push_back(
        std::any_of(segments.begin(), segments.end(), [](const Segment& s) { return s.category == Category::host; }));
  }
}

Lane DeviceRuns::lane_of(const Participation& p) const {
  const TaskTemplate& t = program_.template_of(p.task);
  return p.participant == 0 ? t.lane : t.partner_lane;
}

// A fused block without launches inside is never idle, and of what is in it only work and its own transfers outrank
// others: it counts as work here. The launches of other blocks leave room for transfers beside them.
void DeviceRuns::add_changes(TaskId task, std::vector<Change>& changes) const {
  const TaskTemplate& t = program_.template_of(task);
  const std::int64_t start = timeline_.start[task], end = timeline_.end[task];
  if (t.segments.count == 0 || !stands_still_[program_.task_template[task]]) {
    const Category category = t.segments.count > 0 ? Category::compute : t.category;
    const TaskId block = t.segments.count > 0 ? task : kNone;
    changes.emplace_back(start, category, true, block);
    changes.emplace_back(end, category, false, block);
    return;
  }
  const Within inside(program_, timeline_, task);
  std::int64_t from = start;
  for (std::uint32_t i = t.segments.first; i < t.segments.first + t.segments.count; ++i) {
    const Segment& segment = program_.segments[i];
    changes.emplace_back(from, segment.category, true, kNone);
    from = inside.at(segment.end.value);
    changes.emplace_back(from, segment.category, false, kNone);
  }
}

std::vector<DeviceRuns::Change> DeviceRuns::changes_of(DeviceIndex device) const {
  std::vector<Change> changes;
  for (std::uint32_t i = by_device_.begin[device]; i < by_device_.begin[device + 1]; ++i) {
    const Participation& p = by_device_.items[i];
    if (lane_of(p) != Lane::host && timeline_.start[p.task] != timeline_.end[p.task]) add_changes(p.task, changes);
  }
  std::ranges::sort(changes, std::less());
  return changes;
}

std::vector<Run> DeviceRuns::of(DeviceIndex device) const {
  std::vector<Run> runs;
  std::array<std::int32_t, kCategories> active{};
  TaskId block = kNone;
  std::int64_t from = 0;
  for (const Change& c : changes_of(device)) {
    if (c.time > from) {
      std::size_t best = 0;
      while (best < kCategories - 1 && active[best] == 0) ++best;
      const auto category = static_cast<Category>(best);
      runs.push_back({from, c.time, category, is_work(category) ? block : kNone, kNone});
      from = c.time;
    }
    active[c.category()] += c.starts() ? 1 : -1;
    if (is_work(static_cast<Category>(c.category())))
      block = c.starts() ? c.task() : (block == c.task() ? kNone : block);
  }
  if (timeline_.makespan.value > from) runs.push_back({from, timeline_.makespan.value, Category::bubble, kNone, kNone});
  find_next(device, runs);
  return runs;
}

// The order of a device is that of its compute lane: a message that arrives early is waited for by nobody. Behind the
// last task there it is what else starts (the collectives that end a step).
void DeviceRuns::find_next(DeviceIndex device, std::vector<Run>& runs) const {
  std::vector<TaskId> order, others;
  std::int64_t last = -1;  // start of the lane's last task
  const auto of_device =
      std::span(by_device_.items)
          .subspan(by_device_.begin[device], by_device_.begin[device + 1] - by_device_.begin[device]);
  for (const Participation& p : of_device)
    if (lane_of(p) == Lane::compute) order.push_back(p.task), last = std::max(last, timeline_.start[p.task]);
  for (const Participation& p : of_device) {
    const Lane lane = lane_of(p);
    if (lane != Lane::host && lane != Lane::compute && timeline_.start[p.task] > last) others.push_back(p.task);
  }
  const auto earlier = [&](TaskId a, TaskId b) {
    return timeline_.start[a] != timeline_.start[b] ? timeline_.start[a] < timeline_.start[b]
                                                    : rank_of(program_, a) < rank_of(program_, b);
  };
  const auto starts_before = [&](TaskId task, std::int64_t time) { return timeline_.start[task] < time; };
  std::sort(others.begin(), others.end(), earlier);
  const auto start = [&](TaskId task) { return timeline_.start[task]; };
  if (!std::ranges::is_sorted(order, {}, start)) std::ranges::stable_sort(order, {}, start);
  for (Run& run : runs) {
    if (run.category != Category::bubble) continue;
    const std::vector<TaskId>& from = last >= run.end ? order : others;
    const auto next = std::lower_bound(from.begin(), from.end(), run.end, starts_before);
    if (next != from.end()) run.next = *next;
  }
}

std::tuple<bool, Activity, std::int32_t, std::int32_t, std::uint8_t, std::int32_t> rank_of(const Program& program,
                                                                                           TaskId task) {
  const Participant& first = program.participant(task);
  const bool none = first.operation == kNone;  // the host
  const Operation op = none ? Operation{} : program.operations[first.operation];
  const std::vector<std::int32_t>& ranks = program.devices[first.device].ranks;
  return {none, op.activity, op.stage, op.micro_batch, op.pipe, ranks.empty() ? -1 : ranks.front()};
}

}  // namespace orrery::engine
