#include <algorithm>
#include <optional>

#include "orrery/engine/engine.hpp"
#include "paces.hpp"
#include "step_time.hpp"

namespace orrery::engine {

bool one_pass_applies(const program::Program& program) {
  return std::all_of(program.templates.begin(), program.templates.end(),
                     [](const program::TaskTemplate& t) { return t.slowdown_class == 0; });
}

Timeline evaluate_one_pass(const program::Program& program) {
  const std::size_t n = program.tasks();
  Timeline timeline;
  timeline.start.resize(n);
  timeline.end.resize(n);
  std::vector<std::int64_t> duration(program.templates.size());
  for (std::size_t i = 0; i < duration.size(); ++i) duration[i] = program.templates[i].duration.value;
  std::optional<Paces> paces;
  if (program.stretches.any()) paces.emplace(program);
  std::int64_t makespan = 0;
  for (std::size_t task = 0; task < n; ++task) {
    std::int64_t start = 0;
    for (std::uint32_t i = program.predecessor_begin[task]; i < program.predecessor_begin[task + 1]; ++i)
      start = std::max(start, timeline.end[program.predecessors[i]]);
    const std::int64_t end = paces ? paces->end_of(static_cast<program::TaskId>(task), start)
                                   : checked_add(start, duration[program.task_template[task]]);
    timeline.start[task] = start;
    timeline.end[task] = end;
    makespan = std::max(makespan, end);
  }
  timeline.makespan = {makespan};
  timeline.events = static_cast<std::int64_t>(n);
  timeline.step_time = step_time(program, timeline);
  return timeline;
}

}  // namespace orrery::engine
