// What both forms of PyTorch's allocator round by.
#pragma once
#include <cstdint>

namespace orrery::engine {

// CUDACachingAllocator.cpp: kMinBlockSize, kSmallSize.
inline constexpr std::int64_t kBlock = 512, kSmall = 1 << 20;

constexpr std::int64_t rounded(std::int64_t bytes) {
  return (bytes + (kBlock - 1)) & ~(kBlock - 1);
}
// Whether so many bytes are of the small pool.
constexpr bool is_small(std::int64_t bytes) {
  return bytes <= kSmall;
}

}  // namespace orrery::engine
