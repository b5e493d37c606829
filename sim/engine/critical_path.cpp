#include "orrery/engine/critical_path.hpp"

#include <algorithm>
#include <string_view>

#include "orrery/program/lower.hpp"

namespace orrery::engine {
namespace {

using namespace program;

class Path {
 public:
  Path(const Program& program, const Timeline& timeline) : program_(program), timeline_(timeline) {}

  // The last task first.
  std::vector<PathTask> chain() const {
    std::vector<PathTask> path;
    TaskId at = kNone;
    for (TaskId task = 0; task < program_.tasks(); ++task) at = later(task, at);
    if (at == kNone) return path;
    std::int64_t until = timeline_.end[at];
    const std::int64_t from = until - timeline_.step_time.value;
    while (at != kNone && until > from) {
      if (timeline_.start[at] < until) path.push_back({at, std::max(from, timeline_.start[at]), until});
      until = timeline_.start[at];
      TaskId before = kNone;
      for (std::uint32_t i = program_.predecessor_begin[at]; i < program_.predecessor_begin[at + 1]; ++i)
        before = later(program_.predecessors[i], before);
      at = before;
    }
    return path;
  }
  CriticalPath follow() {
    for (const PathTask& p : chain()) add(p.task, p.begin, p.end);
    return path_;
  }

 private:
  // A block of whatever is inside is a pass.
  Category category_of(TaskId task) const {
    const TaskTemplate& t = program_.template_of(task);
    return t.segments.count > 0 ? Category::compute : t.category;
  }
  TaskId later(TaskId a, TaskId b) const {
    if (b == kNone) return a;
    if (timeline_.end[a] != timeline_.end[b]) return timeline_.end[a] > timeline_.end[b] ? a : b;
    return category_of(a) < category_of(b) ? a : b;
  }
  void add(TaskId task, std::int64_t begin, std::int64_t end) {
    const TaskTemplate& t = program_.template_of(task);
    if (t.segments.count == 0) return add(t, t.category, end - begin);
    std::int64_t at = timeline_.start[task];
    for (std::uint32_t i = t.segments.first; i < t.segments.first + t.segments.count; ++i) {
      const std::int64_t until = timeline_.start[task] + program_.segments[i].end.value;
      if (until > begin && at < end) add(t, program_.segments[i].category, std::min(until, end) - std::max(at, begin));
      at = until;
    }
  }
  void add(const TaskTemplate& t, Category category, std::int64_t ps) {
    path_.of[static_cast<std::size_t>(category)] += ps;
    if (category != Category::host) return;
    if (t.lane != Lane::host) path_.blocking_launches += ps;
    if (std::string_view(t.name) == kStepOverhead) path_.step_overhead += ps;
  }

  const Program& program_;
  const Timeline& timeline_;
  CriticalPath path_;
};

}  // namespace

std::vector<PathTask> critical_chain(const Program& program, const Timeline& timeline) {
  std::vector<PathTask> path = Path(program, timeline).chain();
  std::reverse(path.begin(), path.end());
  return path;
}

// Task ids are a topological order, so each is settled before those it waits for.
std::vector<std::int64_t> slack_of(const Program& program, const Timeline& timeline) {
  std::vector<std::int64_t> slack(program.tasks());
  for (TaskId task = 0; task < program.tasks(); ++task) slack[task] = timeline.makespan.value - timeline.end[task];
  for (TaskId task = static_cast<TaskId>(program.tasks()); task-- > 0;)
    for (std::uint32_t i = program.predecessor_begin[task]; i < program.predecessor_begin[task + 1]; ++i) {
      const TaskId before = program.predecessors[i];
      slack[before] = std::min(slack[before], slack[task] + timeline.start[task] - timeline.end[before]);
    }
  return slack;
}

CriticalPath critical_path(const Program& program, const Timeline& timeline) {
  return Path(program, timeline).follow();
}

}  // namespace orrery::engine
