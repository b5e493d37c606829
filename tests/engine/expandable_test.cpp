// The caching allocator with expandable segments against its rules, case by case, and on random sequences against what
// must always hold.
#include "orrery/engine/expandable.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "orrery/core/random.hpp"
#include "orrery/engine/allocator.hpp"

namespace orrery::engine::expandable_test {

namespace {
constexpr std::int64_t kMiB = 1 << 20;
}

TEST_CASE("expandable: small sizes grow by pages of 2 MiB, large ones by pages of 20 MiB") {
  ExpandableAllocator a;
  a.allocate(1);
  CHECK(a.reserved() == 2 * kMiB);
  for (int i = 1; i < 4096; ++i) a.allocate(512);
  CHECK(a.reserved() == 2 * kMiB);
  a.allocate(1);
  CHECK(a.reserved() == 4 * kMiB);
  a.allocate(kMiB + 1);
  CHECK(a.reserved() == 24 * kMiB);
  a.allocate(30 * kMiB);  // what is left of the page, and one more
  CHECK(a.reserved() == 44 * kMiB);
}

TEST_CASE("expandable: blocks freed one after the other serve a larger one, those of fixed segments do not") {
  ExpandableAllocator a;
  CachingAllocator fixed;
  const auto first = a.allocate(30 * kMiB), second = a.allocate(30 * kMiB);
  a.release(first), a.release(second);
  a.allocate(60 * kMiB);
  CHECK(a.reserved() == 60 * kMiB);
  const auto one = fixed.allocate(30 * kMiB), two = fixed.allocate(30 * kMiB);
  fixed.release(one), fixed.release(two);
  fixed.allocate(60 * kMiB);
  CHECK(fixed.reserved() == 120 * kMiB);
}

TEST_CASE("expandable: the smallest block that is large enough, but the one at the end only if no other is") {
  ExpandableAllocator a;
  const auto hole = a.allocate(50 * kMiB);
  a.allocate(kMiB + 512);
  const auto end = a.allocate(40 * kMiB);
  a.release(hole), a.release(end);
  CHECK(a.reserved() == 100 * kMiB);
  CHECK(a.allocate(35 * kMiB) == hole);  // the end has 48 MiB and can grow
  CHECK(a.allocate(35 * kMiB) == end);
  // A rest of 512 bytes is split off.
  ExpandableAllocator small;
  small.allocate(20 * kMiB - 512);
  small.allocate(20 * kMiB + 512);
  CHECK(small.reserved() == 40 * kMiB);
}

TEST_CASE("expandable: pages in free blocks are given back where the GPU has no more, and holes are filled first") {
  ExpandableAllocator a(100 * kMiB);
  const auto first = a.allocate(50 * kMiB);
  const auto second = a.allocate(30 * kMiB);  // [50, 80)
  a.release(first);
  a.allocate(60 * kMiB);  // needs [80, 140); of [0, 50) two whole pages go
  CHECK(a.retries() == 1);
  CHECK(a.reserved() == 100 * kMiB);
  CHECK(a.most_reserved() == 100 * kMiB);
  a.release(second);  // [40, 80) is free, [0, 40) a hole
  CHECK(a.allocate(30 * kMiB) == first + 40 * kMiB);
  CHECK(a.reserved() == 100 * kMiB);
  a.allocate(40 * kMiB);  // does not fit: counted all the same, from the hole on
  CHECK(a.retries() == 2);
  CHECK(a.most_reserved() == 140 * kMiB);
}

TEST_CASE("expandable: random calls hold what is allocated in places of its own, and no more than a page for each") {
  Random random(7);
  for (int round = 0; round < 20; ++round) {
    ExpandableAllocator a(round % 2 == 0 ? std::numeric_limits<std::int64_t>::max() : 64 * kMiB);
    std::vector<std::pair<ExpandableAllocator::BlockId, std::int64_t>> live;
    std::int64_t held = 0, pages = 0;
    for (int i = 0; i < 400; ++i) {
      if (!live.empty() && random.below(3) == 0) {
        const std::size_t gone = random.below(static_cast<std::uint32_t>(live.size()));
        a.release(live[gone].first);
        held -= live[gone].second;
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(gone));
        continue;
      }
      const std::int64_t size = 1 + static_cast<std::int64_t>(random.below(1u << (8 + round)));
      const auto block = a.allocate(size);
      for (const auto& [other, bytes] : live) CHECK((other + bytes <= block || block + size <= other));
      live.emplace_back(block, size);
      held += size;
      pages += size + (size <= kMiB ? 2 : 20) * kMiB;
      CHECK(a.reserved() >= held);
      CHECK(a.reserved() <= pages);
    }
    if (round % 2 == 1) continue;
    // All given back, each pool is one block again, so that the same fits into it one after the other.
    const std::int64_t reserved = a.reserved();
    for (const auto& [block, size] : live) a.release(block);
    for (const auto& [block, size] : live) a.allocate(size);
    CHECK(a.reserved() == reserved);
  }
}

}  // namespace orrery::engine::expandable_test
