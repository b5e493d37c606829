// A GPU as its data sheet describes it. Efficiency constants, measured, live in `kernels` and are the cost room's.
#pragma once
#include <array>
#include <string>

#include "orrery/core/dtype.hpp"
#include "orrery/core/units.hpp"

namespace orrery::hardware {

struct Gpu {
  std::string name;
  int multiprocessors = 0;
  std::array<FlopsPerSecond, kDTypes.size()> dense_peak{};  // by DType, without sparsity; 0 = not supported
  Bytes memory{};                                           // of the board
  Bytes usable_memory{};                                    // what an allocator can get, context included
  Bytes context_memory{};                                   // CUDA context and libraries
  BytesPerSecond memory_bandwidth{};

  FlopsPerSecond peak(DType type) const { return dense_peak[static_cast<std::size_t>(type)]; }
};

}  // namespace orrery::hardware
