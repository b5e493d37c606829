#include <algorithm>

#include "changes.hpp"
#include "orrery/engine/account.hpp"
#include "reserved.hpp"

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

namespace {

// What is allocated, without the allocator. `sorted` are the device's changes.
DeviceMemory ledger_of(const MemoryByClass& resident, const std::vector<Change>& sorted) {
  DeviceMemory memory;
  memory.at_peak = resident;
  for (const std::int64_t bytes : memory.at_peak) memory.peak = checked_add(memory.peak, bytes);
  memory.at_end = replay(resident, sorted, [&](std::int64_t time, const MemoryByClass& held, std::int64_t total) {
    if (total <= memory.peak) return;
    memory.peak = total;
    memory.peak_time = {time};
    memory.at_peak = held;
  });
  return memory;
}

// The changes of each device, one after the other; neighbours mostly are alike.
class DeviceChanges {
 public:
  DeviceChanges(const Program& program, const Timeline& timeline)
      : program_(program), timeline_(timeline), by_(participations(program)), tensors_(program) {}

  // Whether those of device `d` are not those of the device asked for before.
  bool next(DeviceIndex d) {
    changes_.swap(before_);
    collect_changes(program_, timeline_, by_, tensors_, d, changes_);
    if (d > 0 && program_.devices[d].resident == program_.devices[d - 1].resident && changes_ == before_) return false;
    sorted_ = changes_;
    sort_changes(sorted_);
    return true;
  }
  const std::vector<Change>& sorted() const { return sorted_; }
  const ByDevice& by() const { return by_; }

 private:
  const Program& program_;
  const Timeline& timeline_;
  const ByDevice by_;
  const Tensors tensors_;
  std::vector<Change> changes_, before_, sorted_;
};

}  // namespace

std::vector<DeviceMemory> memory_of(const Program& program, const Timeline& timeline, Bytes capacity,
                                    Segments segments) {
  DeviceChanges changes(program, timeline);
  KnownEffects known;
  EffectLists lists(program, known);
  KnownReserved known_reserved;
  std::vector<DeviceMemory> result(program.devices.size());
  for (DeviceIndex d = 0; d < result.size(); ++d) {
    const Bytes of_device{capacity.value - program.devices[d].lacks};
    const bool as_before = d > 0 && program.devices[d].lacks == program.devices[d - 1].lacks;
    if (!changes.next(d) && as_before) {
      result[d] = result[d - 1];
      continue;
    }
    const MemoryByClass& resident = program.devices[d].resident;
    result[d] = ledger_of(resident, changes.sorted());
    const std::vector<PlacedList> on = lists_on(program, timeline, changes.by(), d, lists);
    lists.make_calls(on);
    const std::vector<CallRun> runs = call_runs(on, known.tensors);
    const Reserved reserved = known_reserved.of(resident, runs, known, of_device, segments);
    result[d].reserved = reserved.bytes, result[d].retries = reserved.retries;
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
