// Whether a step fits, without following the caching allocator where that decides nothing: a GPU whose tensors alone
// are more than it has does not fit, however they are laid out.
#pragma once
#include "orrery/engine/engine.hpp"

namespace orrery::engine {

struct MemoryVerdict {
  std::int64_t peak = 0;      // bytes allocated on the fullest device, as DeviceMemory::peak
  bool fits = true;           // no device reserves more than the capacity
  bool released = false;      // the GPU refused a segment on the way; not told where it does not fit
  std::int64_t replayed = 0;  // devices whose allocator was followed
};
// As memory_of says it with the same capacity and segments, in less time.
MemoryVerdict memory_verdict(const program::Program& program, const Timeline& timeline, Bytes capacity,
                             Segments segments = Segments::fixed);

}  // namespace orrery::engine
