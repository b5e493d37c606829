// What both forms of PyTorch's allocator round by.
#pragma once
#include <cstdint>

namespace orrery::engine {

// CUDACachingAllocator.cpp: kMinBlockSize, kSmallSize.
inline constexpr std::int64_t kBlock = 512, kSmall = 1 << 20;

}  // namespace orrery::engine
