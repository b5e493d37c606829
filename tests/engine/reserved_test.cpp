// What the replay of a device says, against plain calls of the allocator, step by step to the end: it may leave out
// what changes nothing.
#include <doctest/doctest.h>

#include "engine/changes.hpp"
#include "orrery/core/random.hpp"
#include "orrery/engine/allocator.hpp"
#include "orrery/engine/expandable.hpp"

namespace orrery::engine::reserved_test {

namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::size_t kTensors = 6;

// Tensors of six sizes by four owners, each free that of the last of its size and owner; some stay to the end. In
// `rounds` of a step the same is made and freed.
std::vector<Change> drawn(Random& random, int rounds) {
  std::vector<std::int64_t> sizes;
  for (std::size_t t = 0; t < kTensors; ++t)
    sizes.push_back(kMiB / 4 * (1 + static_cast<std::int64_t>(random.below(t < 2 ? 4 : 100))));
  std::vector<Change> changes;
  const auto add = [&](std::uint32_t tensor, std::int64_t owner, bool make) {
    changes.push_back({static_cast<std::int64_t>(changes.size()), make ? sizes[tensor] : -sizes[tensor], owner, tensor,
                       program::MemoryClass::activations});
  };
  const auto draw = [&](std::size_t count) {
    std::vector<std::pair<std::uint32_t, std::int64_t>> live;
    for (std::size_t i = 0; i < count; ++i) {
      if (live.size() > 3 && random.below(2) == 0) {
        const std::size_t gone = random.below(static_cast<std::uint32_t>(live.size()));
        add(live[gone].first, live[gone].second, false);
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(gone));
      } else {
        live.emplace_back(static_cast<std::uint32_t>(random.below(kTensors)),
                          static_cast<std::int64_t>(random.below(4)));
        add(live.back().first, live.back().second, true);
      }
    }
    return live;
  };
  draw(60);
  const std::size_t begin = changes.size();
  for (const auto& [tensor, owner] : draw(30)) add(tensor, owner, false);
  const std::vector<Change> round(changes.begin() + static_cast<std::ptrdiff_t>(begin), changes.end());
  for (int again = 1; again < rounds; ++again) changes.insert(changes.end(), round.begin(), round.end());
  draw(60);
  return changes;
}

template <class Allocator>
Reserved plainly(std::int64_t resident, const std::vector<Change>& changes, std::int64_t capacity) {
  struct Held {
    std::uint32_t tensor;
    std::int64_t owner;
    typename Allocator::BlockId block;
  };
  Allocator allocator(capacity);
  allocator.allocate(resident);
  for (int step = 0; step < 4; ++step) {
    const std::int64_t before = allocator.most_reserved();
    std::vector<Held> held;
    for (const Change& c : changes) {
      if (c.bytes > 0) {
        held.push_back({c.tensor, c.owner, allocator.allocate(c.bytes)});
        continue;
      }
      auto last = held.end() - 1;
      while (last->tensor != c.tensor || last->owner != c.owner) --last;
      allocator.release(last->block);
      held.erase(last);
    }
    for (std::uint32_t tensor = 0; tensor < kTensors; ++tensor)
      for (const Held& h : held)
        if (h.tensor == tensor) allocator.release(h.block);
    if (allocator.most_reserved() == before) break;
  }
  return {allocator.most_reserved(), allocator.retries()};
}

}  // namespace

TEST_CASE("a replay says what plain calls say, in fixed and expandable segments, with and without room") {
  Random random(3);
  for (int round = 0; round < 150; ++round) {
    const std::vector<Change> changes = drawn(random, round % 3 == 0 ? 20 : 1);
    const std::int64_t resident = kMiB * (1 + static_cast<std::int64_t>(random.below(30)));
    for (const std::int64_t capacity : {std::int64_t{1} << 40, 300 * kMiB, 600 * kMiB}) {
      const Reserved fixed = reserved_by_allocator({resident}, changes, kTensors, {capacity}, Segments::fixed);
      const Reserved plain = plainly<CachingAllocator>(resident, changes, capacity);
      CHECK(fixed.bytes == plain.bytes);
      CHECK(fixed.retries == plain.retries);
      const Reserved pages = reserved_by_allocator({resident}, changes, kTensors, {capacity}, Segments::expandable);
      const Reserved plain_pages = plainly<ExpandableAllocator>(resident, changes, capacity);
      CHECK(pages.bytes == plain_pages.bytes);
      CHECK(pages.retries == plain_pages.retries);
    }
  }
}

}  // namespace orrery::engine::reserved_test
