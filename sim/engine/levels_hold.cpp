#include <algorithm>

#include "orrery/engine/engine.hpp"

namespace orrery::engine {

bool levels_hold(const program::Program& program, const Timeline& timeline) {
  if (std::ranges::none_of(program.templates, [](const auto& t) { return t.levelled; })) return true;
  auto next = program.levelled.begin();
  for (program::TaskId task = 0; task < program.tasks(); ++task) {
    bool together = timeline.start[task] == 0;
    for (; next != program.levelled.end() && next->message == task; ++next)
      together = together || timeline.end[next->behind] == timeline.start[task];
    if (!together && program.template_of(task).levelled) return false;
  }
  return true;
}

}  // namespace orrery::engine
