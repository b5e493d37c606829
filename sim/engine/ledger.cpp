#include <algorithm>

#include "orrery/engine/account.hpp"
#include "participation.hpp"

namespace orrery::engine {
namespace {

using namespace program;

struct Change {
  std::int64_t time;
  std::int64_t bytes;
  MemoryClass memory_class;
};

// Changes of one device's memory in order of time (any order within an instant).
void collect(const Program& program, const Timeline& timeline, const ByDevice& by, DeviceIndex device,
             std::vector<Change>& out) {
  out.clear();
  for (std::uint32_t i = by.begin[device]; i < by.begin[device + 1]; ++i) {
    const auto [task, participant] = by.items[i];
    const Range effects = program.template_of(task).effects;
    for (std::uint32_t e = effects.first; e < effects.first + effects.count; ++e) {
      const MemoryEffect& effect = program.effects[e];
      if (effect.participant != kNone && effect.participant != participant) continue;
      const std::int64_t base = effect.at_end ? timeline.end[task] : timeline.start[task];
      out.push_back({base + effect.offset.value, effect.bytes, effect.memory_class});
    }
  }
  std::sort(out.begin(), out.end(), [](const Change& a, const Change& b) { return a.time < b.time; });
}

// Calls visit(time, bytes by class, total) after each instant at which something changes.
template <class Visit>
MemoryByClass replay(const MemoryByClass& resident, const std::vector<Change>& changes, Visit visit) {
  MemoryByClass held = resident;
  std::int64_t total = 0;
  for (const std::int64_t bytes : resident) total = checked_add(total, bytes);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    std::int64_t& of_class = held[static_cast<std::size_t>(changes[i].memory_class)];
    of_class = checked_add(of_class, changes[i].bytes);
    total = checked_add(total, changes[i].bytes);
    if (i + 1 == changes.size() || changes[i + 1].time != changes[i].time) visit(changes[i].time, held, total);
  }
  return held;
}

}  // namespace

std::vector<DeviceMemory> memory_of(const Program& program, const Timeline& timeline) {
  const ByDevice by = participations(program);
  std::vector<DeviceMemory> result(program.devices.size());
  std::vector<Change> changes;
  for (DeviceIndex d = 0; d < result.size(); ++d) {
    DeviceMemory& memory = result[d];
    memory.at_peak = program.devices[d].resident;
    for (const std::int64_t bytes : memory.at_peak) memory.peak = checked_add(memory.peak, bytes);
    collect(program, timeline, by, d, changes);
    memory.at_end = replay(program.devices[d].resident, changes,
                           [&](std::int64_t time, const MemoryByClass& held, std::int64_t total) {
                             if (total <= memory.peak) return;
                             memory.peak = total;
                             memory.peak_time = {time};
                             memory.at_peak = held;
                           });
  }
  return result;
}

std::vector<MemorySample> memory_curve(const Program& program, const Timeline& timeline, DeviceIndex device) {
  std::vector<Change> changes;
  collect(program, timeline, participations(program), device, changes);
  std::vector<MemorySample> curve{{0, program.devices[device].resident}};
  replay(program.devices[device].resident, changes, [&](std::int64_t time, const MemoryByClass& held, std::int64_t) {
    if (curve.back().time == time) curve.pop_back();
    curve.push_back({time, held});
  });
  return curve;
}

}  // namespace orrery::engine
