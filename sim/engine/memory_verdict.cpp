#include "orrery/engine/memory_verdict.hpp"

#include <algorithm>

#include "reserved.hpp"

namespace orrery::engine {

using namespace program;

struct Replays::Known {
  KnownEffects effects;
  KnownReserved reserved;
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
        lists_(program, known.effects) {}

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
    const std::int64_t known_before = known_.reserved.count();
    for (DeviceIndex d = 0; d < placed.size() && verdict_.fits; ++d) {
      lists_.make_calls(placed[d]);
      const Reserved reserved =
          known_.reserved.of(program_.devices[d].resident, call_runs(placed[d], known_.effects.tensors), known_.effects,
                             capacity_of(d), segments_);
      verdict_.fits = reserved.bytes <= capacity_of(d).value;
      verdict_.released = verdict_.released || reserved.retries > 0;
    }
    verdict_.replayed = known_.reserved.count() - known_before;
    return verdict_;
  }

 private:
  Bytes capacity_of(DeviceIndex device) const { return {capacity_.value - program_.devices[device].lacks}; }

  const Program& program_;
  const Timeline& timeline_;
  const Bytes capacity_;
  const Segments segments_;
  Replays::Known& known_;
  const ByDevice by_;
  EffectLists lists_;
  MemoryVerdict verdict_;
};

}  // namespace

MemoryVerdict memory_verdict(const Program& program, const Timeline& timeline, Bytes capacity, Segments segments,
                             Replays& replays) {
  constexpr std::size_t kMostLists = 4'000, kMostWords = 2'000'000;  // kept: beyond, all are forgotten
  Replays::Known& known = replays.known();
  const std::size_t lists = std::max(known.effects.numbers.count(), known.effects.of_blocks.size());
  if (lists > kMostLists || known.reserved.words() > kMostWords) known = {};
  return Judge(program, timeline, capacity, segments, known).run();
}

}  // namespace orrery::engine
