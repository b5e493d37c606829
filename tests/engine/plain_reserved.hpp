// What the caching allocator reserves for a device, by plain calls, step by step to the end.
#pragma once
#include <list>
#include <map>
#include <utility>
#include <vector>

#include "engine/changes.hpp"
#include "engine/reserved.hpp"
#include "orrery/engine/allocator.hpp"
#include "orrery/engine/expandable.hpp"

namespace orrery::engine {

// `sorted` as sort_changes() sorts them.
template <class Allocator>
Reserved plain_reserved(const program::MemoryByClass& resident, const std::vector<Change>& sorted, Bytes capacity) {
  struct Held {
    std::int64_t owner;
    typename Allocator::BlockId block;
  };
  Allocator allocator(capacity.value);
  for (const std::int64_t bytes : resident)
    if (bytes > 0) allocator.allocate(bytes);
  for (int step = 0; step < 4; ++step) {
    const std::int64_t before = allocator.most_reserved();
    std::map<std::uint32_t, std::list<Held>> held;  // [tensor]
    std::map<std::uint32_t, int> owed;
    for (const Change& c : sorted) {
      std::list<Held>& of = held[c.tensor];
      if (c.bytes > 0) {
        if (owed[c.tensor] > 0)
          --owed[c.tensor];
        else
          of.push_back({c.owner, allocator.allocate(c.bytes)});
        continue;
      }
      if (of.empty()) {
        ++owed[c.tensor];
        continue;
      }
      auto gone = of.end();
      while (gone != of.begin() && std::prev(gone)->owner != c.owner) --gone;
      gone = gone == of.begin() ? of.begin() : std::prev(gone);
      allocator.release(gone->block);
      of.erase(gone);
    }
    for (const auto& [tensor, of] : held)
      for (const Held& h : of) allocator.release(h.block);
    if (allocator.most_reserved() == before) break;
  }
  return {allocator.most_reserved(), allocator.retries()};
}

inline Reserved plain_reserved(const program::Program& program, const Timeline& timeline, program::DeviceIndex device,
                               Bytes capacity, Segments segments) {
  std::vector<Change> changes;
  collect_changes(program, timeline, participations(program), Tensors(program), device, changes);
  sort_changes(changes);
  const program::MemoryByClass& resident = program.devices[device].resident;
  const Bytes of_device{capacity.value - program.devices[device].lacks};
  return segments == Segments::fixed ? plain_reserved<CachingAllocator>(resident, changes, of_device)
                                     : plain_reserved<ExpandableAllocator>(resident, changes, of_device);
}

}  // namespace orrery::engine
