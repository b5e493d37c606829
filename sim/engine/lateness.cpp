#include "orrery/engine/lateness.hpp"

#include <algorithm>

namespace orrery::engine {

std::vector<Lateness> lateness_of(const program::Program& program, const Timeline& timeline, const Timeline& without) {
  std::vector<Lateness> late(program.devices.size());
  for (program::TaskId task = 0; task < program.tasks(); ++task) {
    const Time by{timeline.end[task] - without.end[task]};
    if (by.value <= 0) continue;
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i) {
      Lateness& of = late[program.participants[i].device];
      const Time due{without.end[task]};
      of.from = of.ever() ? std::min(of.from, due) : due;
      of.until = std::max(of.until, Time{timeline.end[task]});
      of.most = std::max(of.most, by);
    }
  }
  return late;
}

}  // namespace orrery::engine
