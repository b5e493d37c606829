#include "orrery/engine/critical_path.hpp"

#include <algorithm>
#include <string_view>

#include "orrery/program/lower.hpp"
#include "stretches_along.hpp"

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

  const Program& program_;
  const Timeline& timeline_;
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

std::vector<PathStretch> critical_stretches(const Program& program, const Timeline& timeline) {
  return stretches_along(program, timeline, critical_chain(program, timeline));
}

CriticalPath critical_path(const Program& program, const Timeline& timeline) {
  CriticalPath path;
  for (const PathStretch& s : critical_stretches(program, timeline)) {
    path.of[static_cast<std::size_t>(s.category)] += s.end - s.begin;
    if (s.category != Category::host) continue;
    const TaskTemplate& t = program.template_of(s.task);
    if (t.lane != Lane::host) path.blocking_launches += s.end - s.begin;
    if (std::string_view(t.name) == kStepOverhead) path.step_overhead += s.end - s.begin;
  }
  return path;
}

}  // namespace orrery::engine
