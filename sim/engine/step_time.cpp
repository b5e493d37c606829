#include "step_time.hpp"

#include <algorithm>

namespace orrery::engine {

std::vector<std::int64_t> step_ends(const program::Program& program, const Timeline& timeline) {
  const std::size_t devices = program.devices.size();
  std::vector<std::int64_t> ends(static_cast<std::size_t>(program.steps) * devices, 0);
  for (program::TaskId task = 0; task < program.tasks(); ++task)
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i) {
      const program::Participant& p = program.participants[i];
      if (p.operation == program::kNone) continue;
      std::int64_t& end = ends[program.operations[p.operation].step * devices + p.device];
      end = std::max(end, timeline.end[task]);
    }
  return ends;
}

Time step_time(const program::Program& program, const Timeline& timeline) {
  if (program.steps == 1) return timeline.makespan;
  const std::vector<std::int64_t> ends = step_ends(program, timeline);
  const auto devices = static_cast<std::ptrdiff_t>(program.devices.size());
  const auto last = *std::max_element(ends.end() - devices, ends.end());
  const auto before = *std::max_element(ends.end() - 2 * devices, ends.end() - devices);
  return {last - before};
}

}  // namespace orrery::engine
