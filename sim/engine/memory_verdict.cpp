#include "orrery/engine/memory_verdict.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "changes.hpp"
#include "effect_lists.hpp"

namespace orrery::engine {

using namespace program;

struct Replays::Known {
  ListNumbers lists;
  KnownLists of_blocks;
  std::unordered_map<Words, Reserved, HashOfWords> reserved;
  std::size_t words = 0;  // of all keys
};

Replays::Replays() : known_(std::make_unique<Known>()) {}
Replays::~Replays() = default;
Replays::Replays(Replays&&) noexcept = default;
Replays& Replays::operator=(Replays&&) noexcept = default;

namespace {

class Judge {
 public:
  Judge(const Program& program, const Timeline& timeline, Bytes capacity, Segments segments, Replays::Known& known)
      : program_(program),
        timeline_(timeline),
        capacity_(capacity),
        segments_(segments),
        known_(known),
        by_(participations(program)),
        lists_(program, known.lists, known.of_blocks) {}

  MemoryVerdict run() {
    std::vector<std::vector<PlacedList>> placed;
    for (DeviceIndex d = 0; d < program_.devices.size(); ++d) {
      placed.push_back(lists_on(program_, timeline_, by_, d, lists_));
      const MemoryByClass& resident = program_.devices[d].resident;
      std::int64_t held = 0;
      for (const std::int64_t bytes : resident) held = checked_add(held, bytes);
      const std::int64_t peak = peak_of(held, placed.back());
      verdict_.peak = std::max(verdict_.peak, peak);
      const std::int64_t free = checked_sub(capacity_of(d).value, peak);
      verdict_.free = d == 0 ? free : std::min(verdict_.free, free);
    }
    verdict_.fits = verdict_.free >= 0;
    for (DeviceIndex d = 0; d < placed.size() && verdict_.fits; ++d) {
      const Reserved reserved = reserved_on(d, placed[d]);
      verdict_.fits = reserved.bytes <= capacity_of(d).value;
      verdict_.released = verdict_.released || reserved.retries > 0;
    }
    return verdict_;
  }

 private:
  Bytes capacity_of(DeviceIndex device) const { return {capacity_.value - program_.devices[device].lacks}; }

  // All that the allocator's calls follow from.
  Words key_of(DeviceIndex device, const std::vector<PlacedList>& lists) const {
    Words key = order_of(lists);
    if (key.empty()) return key;
    key.insert(key.end(), {capacity_of(device).value, static_cast<std::int64_t>(segments_)});
    const MemoryByClass& resident = program_.devices[device].resident;
    key.insert(key.end(), resident.begin(), resident.end());
    return key;
  }

  Reserved reserved_on(DeviceIndex device, const std::vector<PlacedList>& lists) {
    const Words key = key_of(device, lists);
    if (key.empty()) return replayed(device);
    const auto at = known_.reserved.find(key);
    if (at != known_.reserved.end()) return at->second;
    known_.words += key.size();
    return known_.reserved.emplace(key, replayed(device)).first->second;
  }

  Reserved replayed(DeviceIndex device) {
    if (!tensors_) tensors_.emplace(program_);
    collect_changes(program_, timeline_, by_, *tensors_, device, changes_);
    sort_changes(changes_);
    ++verdict_.replayed;
    return reserved_by_allocator(program_.devices[device].resident, changes_, tensors_->count(), capacity_of(device),
                                 segments_);
  }

  const Program& program_;
  const Timeline& timeline_;
  const Bytes capacity_;
  const Segments segments_;
  Replays::Known& known_;
  const ByDevice by_;
  EffectLists lists_;
  std::optional<Tensors> tensors_;
  std::vector<Change> changes_;
  MemoryVerdict verdict_;
};

}  // namespace

MemoryVerdict memory_verdict(const Program& program, const Timeline& timeline, Bytes capacity, Segments segments,
                             Replays& replays) {
  constexpr std::size_t kMostLists = 20'000, kMostWords = 16'000'000;  // kept: beyond, all are forgotten
  Replays::Known& known = replays.known();
  if (std::max(known.lists.count(), known.of_blocks.size()) > kMostLists || known.words > kMostWords) known = {};
  return Judge(program, timeline, capacity, segments, known).run();
}

}  // namespace orrery::engine
