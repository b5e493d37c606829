// Whether a step fits, without following the caching allocator where that decides nothing: a GPU whose tensors alone
// are more than it has does not fit, however they are laid out; and devices whose memory changes in the same order have
// the same calls of the allocator, however long their tasks take.
#pragma once
#include <memory>

#include "orrery/engine/engine.hpp"

namespace orrery::engine {

struct MemoryVerdict {
  std::int64_t peak = 0;      // bytes allocated on the fullest device, as DeviceMemory::peak
  std::int64_t free = 0;      // bytes, on the device that has the fewest beside what is allocated; negative: none
  bool fits = true;           // no device reserves more than the capacity
  bool released = false;      // the GPU refused a segment on the way; not told where it does not fit
  std::int64_t replayed = 0;  // devices whose allocator was followed
};

// What came of following the allocator, by all that its calls follow from. Not for two threads at once.
class Replays {
 public:
  Replays();
  ~Replays();
  Replays(Replays&&) noexcept;
  Replays& operator=(Replays&&) noexcept;

  struct Known;
  Known& known() { return *known_; }

 private:
  std::unique_ptr<Known> known_;
};

// As memory_of says it with the same capacity and segments, in less time.
MemoryVerdict memory_verdict(const program::Program& program, const Timeline& timeline, Bytes capacity,
                             Segments segments, Replays& replays);

}  // namespace orrery::engine
