#include "changes.hpp"
#include "orrery/engine/account.hpp"

namespace orrery::engine {
namespace {

using namespace program;

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

std::vector<DeviceMemory> memory_of(const Program& program, const Timeline& timeline, Bytes capacity) {
  const ByDevice by = participations(program);
  const Tensors tensors(program);
  std::vector<DeviceMemory> result(program.devices.size());
  std::vector<Change> changes, before, sorted;
  for (DeviceIndex d = 0; d < result.size(); ++d) {
    const MemoryByClass& resident = program.devices[d].resident;
    collect_changes(program, timeline, by, tensors, d, changes);
    if (d > 0 && resident == program.devices[d - 1].resident && changes == before) {  // neighbours mostly are alike
      result[d] = result[d - 1];
      continue;
    }
    sorted = changes;
    before.swap(changes);
    sort_changes(sorted);
    DeviceMemory& memory = result[d];
    memory.at_peak = resident;
    for (const std::int64_t bytes : memory.at_peak) memory.peak = checked_add(memory.peak, bytes);
    memory.at_end = replay(resident, sorted, [&](std::int64_t time, const MemoryByClass& held, std::int64_t total) {
      if (total <= memory.peak) return;
      memory.peak = total;
      memory.peak_time = {time};
      memory.at_peak = held;
    });
    const Reserved reserved = reserved_by_allocator(resident, sorted, tensors.count(), capacity);
    memory.reserved = reserved.bytes, memory.retries = reserved.retries;
  }
  return result;
}

std::vector<MemorySample> memory_curve(const Program& program, const Timeline& timeline, DeviceIndex device) {
  std::vector<Change> changes;
  collect_changes(program, timeline, participations(program), Tensors(program), device, changes);
  sort_changes(changes);
  std::vector<MemorySample> curve{{0, program.devices[device].resident}};
  replay(program.devices[device].resident, changes, [&](std::int64_t time, const MemoryByClass& held, std::int64_t) {
    if (curve.back().time == time) curve.pop_back();
    curve.push_back({time, held});
  });
  return curve;
}

}  // namespace orrery::engine
