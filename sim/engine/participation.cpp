#include "participation.hpp"

namespace orrery::engine {

ByDevice participations(const program::Program& program) {
  ByDevice by{std::vector<std::uint32_t>(program.devices.size() + 1, 0), {}};
  for (const program::Participant& p : program.participants) ++by.begin[p.device + 1];
  for (std::size_t d = 0; d < program.devices.size(); ++d) by.begin[d + 1] += by.begin[d];
  by.items.resize(program.participants.size());
  std::vector<std::uint32_t> fill(by.begin.begin(), by.begin.end() - 1);
  for (program::TaskId task = 0; task < program.tasks(); ++task)
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i)
      by.items[fill[program.participants[i].device]++] = {task, i - program.participant_begin[task]};
  return by;
}

}  // namespace orrery::engine
