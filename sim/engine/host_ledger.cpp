// The second place: what a rank holds of the memory of its host.
#include <algorithm>

#include "orrery/engine/account.hpp"

namespace orrery::engine {

using namespace program;

namespace {

// What a copy takes of the host's memory: the activations that it takes off the GPU.
std::int64_t taken_by(const Program& program, const TaskTemplate& t) {
  std::int64_t bytes = 0;
  if (t.lane != Lane::to_host && t.lane != Lane::from_host) return bytes;
  for (std::uint32_t e = t.effects.first; e < t.effects.first + t.effects.count; ++e)
    if (program.effects[e].memory_class == MemoryClass::activations) bytes -= program.effects[e].bytes;
  return bytes;
}

}  // namespace

// What a copy out takes there it takes from its start, what a copy back gives back it gives at its end: at one instant
// that comes first.
std::vector<HostMemory> host_memory_of(const Program& program, const Timeline& timeline) {
  std::vector<HostMemory> result(program.devices.size());
  std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>> changes(program.devices.size());
  std::vector<std::int64_t> taken;
  for (const TaskTemplate& t : program.templates) taken.push_back(taken_by(program, t));
  for (TaskId task = 0; task < program.tasks(); ++task) {
    const std::int64_t bytes = taken[program.task_template[task]];
    if (bytes == 0) continue;
    const DeviceIndex d = program.participant(task).device;
    changes[d].emplace_back(bytes > 0 ? timeline.start[task] : timeline.end[task], bytes);
  }
  for (DeviceIndex d = 0; d < result.size(); ++d) {
    HostMemory& host = result[d];
    host.at_peak = program.devices[d].on_host;
    std::int64_t states = 0, held = 0, most = 0;
    for (const std::int64_t bytes : host.at_peak) states = checked_add(states, bytes);
    std::sort(changes[d].begin(), changes[d].end());
    for (const auto& [time, bytes] : changes[d]) {
      held = checked_add(held, bytes);
      most = std::max(most, held);
    }
    host.at_peak[static_cast<std::size_t>(MemoryClass::activations)] += most;
    host.peak = checked_add(states, most);
    host.left = held;
  }
  return result;
}

}  // namespace orrery::engine
