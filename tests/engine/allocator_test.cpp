// The caching allocator against its rules, case by case, and on random sequences against what must always hold.
#include "orrery/engine/allocator.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "orrery/core/random.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/program/builder.hpp"

namespace orrery::engine::allocator_test {

namespace {
constexpr std::int64_t kMiB = 1 << 20;
}

TEST_CASE("small sizes share segments of 2 MiB in blocks of 512 bytes") {
  CachingAllocator a;
  for (int i = 0; i < 4096; ++i) a.allocate(1 + i % 512);  // each is a block: 4096 · 512 B = 2 MiB
  CHECK(a.reserved() == 2 * kMiB);
  a.allocate(513);  // two blocks
  CHECK(a.reserved() == 4 * kMiB);
  CachingAllocator whole;
  whole.allocate(kMiB), whole.allocate(kMiB);
  CHECK(whole.reserved() == 2 * kMiB);
}

TEST_CASE("sizes from 1 to 10 MiB share segments of 20 MiB, larger ones have one of their own in steps of 2 MiB") {
  CachingAllocator a;
  a.allocate(kMiB + 1);  // rounded to 1 MiB + 512: nineteen fit, and the rest below 1 MiB stays with the last
  for (int i = 1; i < 19; ++i) a.allocate(kMiB + 1);
  CHECK(a.reserved() == 20 * kMiB);
  a.allocate(kMiB + 1);
  CHECK(a.reserved() == 40 * kMiB);
  CachingAllocator large;
  large.allocate(10 * kMiB - 1);  // rounded to 10 MiB: no longer below
  CHECK(large.reserved() == 10 * kMiB);
  large.allocate(10 * kMiB + 1);
  CHECK(large.reserved() == 22 * kMiB);
  large.allocate(9 * kMiB);
  CHECK(large.reserved() == 42 * kMiB);
}

TEST_CASE("best fit: the smallest free block that is large enough, the lowest of those") {
  CachingAllocator a;
  const auto first = a.allocate(30 * kMiB), second = a.allocate(14 * kMiB);
  a.release(first), a.release(second);
  a.allocate(12 * kMiB);  // of the 14
  a.allocate(30 * kMiB);
  CHECK(a.reserved() == 44 * kMiB);
}

TEST_CASE("a large block is split when more than 1 MiB remains") {
  for (const std::int64_t rest : {kMiB, kMiB + 512}) {
    CachingAllocator a;
    a.release(a.allocate(14 * kMiB));
    a.allocate(14 * kMiB - rest);
    a.allocate(kMiB + 512);
    CHECK(a.reserved() == (rest == kMiB ? 34 : 14) * kMiB);
  }
}

TEST_CASE("free neighbours join within a segment, never across") {
  for (const bool backwards : {false, true}) {
    CachingAllocator a;
    std::vector<CachingAllocator::BlockId> blocks;
    for (int i = 0; i < 3; ++i) blocks.push_back(a.allocate(6 * kMiB));
    for (int i = 0; i < 3; ++i) a.release(blocks[static_cast<std::size_t>(backwards ? 2 - i : i)]);
    a.allocate(20 * kMiB);  // the whole segment again
    CHECK(a.reserved() == 20 * kMiB);
  }
  CachingAllocator a;
  const auto left = a.allocate(10 * kMiB), right = a.allocate(10 * kMiB);
  a.release(left), a.release(right);
  a.allocate(20 * kMiB);
  CHECK(a.reserved() == 40 * kMiB);
}

TEST_CASE("a free block between two in use fragments the segment") {
  CachingAllocator a;
  const auto first = a.allocate(5 * kMiB);
  a.allocate(5 * kMiB);
  const auto third = a.allocate(5 * kMiB);
  a.release(first), a.release(third);  // 5 free, 5 used, 10 free
  a.allocate(9 * kMiB);
  CHECK(a.reserved() == 20 * kMiB);
  a.allocate(9 * kMiB);  // 14 MiB are free, in pieces
  CHECK(a.reserved() == 40 * kMiB);
}

TEST_CASE("what the GPU has no room for makes the allocator give wholly free segments back") {
  CachingAllocator a(50 * kMiB);
  const auto first = a.allocate(20 * kMiB);
  a.allocate(20 * kMiB);
  a.release(first);
  a.allocate(22 * kMiB);
  CHECK(a.reserved() == 42 * kMiB);
  CHECK(a.most_reserved() == 42 * kMiB);
  CHECK(a.retries() == 1);
  a.allocate(22 * kMiB);  // does not fit: counted all the same, so that the run says by how much
  CHECK(a.most_reserved() == 64 * kMiB);
}

TEST_CASE("free blocks that are large enough are counted in the pool that the size is of") {
  CachingAllocator a;
  CHECK(!a.has_free(1, 1));
  const auto first = a.allocate(14 * kMiB), second = a.allocate(30 * kMiB);
  a.release(first), a.release(second);
  CHECK(a.has_free(14 * kMiB, 2));
  CHECK(a.has_free(14 * kMiB - 511, 2));  // rounded to 14 MiB
  CHECK(!a.has_free(14 * kMiB, 3));
  CHECK(a.has_free(14 * kMiB + 1, 1));
  CHECK(!a.has_free(14 * kMiB + 1, 2));
  CHECK(a.has_free(30 * kMiB, 1));
  CHECK(!a.has_free(30 * kMiB + 1, 1));
  CHECK(!a.has_free(kMiB, 1));  // of the small pool
  a.allocate(kMiB);
  CHECK(a.has_free(kMiB, 1));  // the other half of its segment
  CHECK(!a.has_free(kMiB, 2));
}

TEST_CASE("random calls: segments hold what is allocated, and never more than one segment a call would") {
  Random random(7);
  for (int round = 0; round < 20; ++round) {
    CachingAllocator a;
    std::vector<std::pair<CachingAllocator::BlockId, std::int64_t>> live;
    std::int64_t held = 0, segments = 0;
    for (int i = 0; i < 400; ++i) {
      if (!live.empty() && random.below(3) == 0) {
        const std::size_t gone = random.below(static_cast<std::uint32_t>(live.size()));
        a.release(live[gone].first);
        held -= live[gone].second;
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(gone));
        continue;
      }
      const std::int64_t size = 1 + static_cast<std::int64_t>(random.below(1u << (8 + round)));
      live.emplace_back(a.allocate(size), size);
      held += size;
      segments += size <= kMiB ? 2 * kMiB : size < 10 * kMiB ? 20 * kMiB : size + 2 * kMiB;
      CHECK(a.reserved() >= held);
      CHECK(a.reserved() <= segments);
    }
    // All given back, every segment is one block again: sizes that fill them need nothing new.
    const std::int64_t reserved = a.reserved();
    for (const auto& [block, size] : live) a.release(block);
    a.allocate(1), a.allocate(2 * kMiB);
    CHECK(a.reserved() <= reserved + 22 * kMiB);
    CHECK(a.most_reserved() == a.reserved());
  }
}

// Two micro-batches make a tensor of 8 MiB each, the first goes, and one of 12 MiB is made: the hole is too small.
TEST_CASE("a timeline is played as allocations and frees, the older micro-batch's tensor by its own backward pass") {
  program::Builder b;
  const program::DeviceIndex device = b.add_device({.ranks = {0}, .at = {}, .resident = {}});
  const auto make = [&](std::int64_t bytes, std::int32_t micro_batch, program::Activity activity) {
    const program::MemoryEffect effect{program::kNone, false, program::MemoryClass::activations, {}, bytes};
    program::TaskTemplate t;
    t.duration = Time{1000};
    t.effects = b.add_effects({&effect, 1});
    const auto operation = b.add_operation({device, activity, 0, 0, micro_batch});
    b.add_task(b.add_template(t), program::Participant{device, operation});
  };
  make(8 * kMiB, 0, program::Activity::forward);
  make(8 * kMiB, 1, program::Activity::forward);
  make(-8 * kMiB, 0, program::Activity::backward);
  make(9 * kMiB, 2, program::Activity::forward);
  make(-8 * kMiB, 1, program::Activity::backward);
  make(-9 * kMiB, 2, program::Activity::backward);
  auto program = b.finish();
  REQUIRE(program.ok());
  const Timeline timeline = evaluate_one_pass(*program);
  const DeviceMemory memory = memory_of(*program, timeline)[0];
  CHECK(memory.peak == 17 * kMiB);
  CHECK(memory.reserved == 40 * kMiB);  // 8 free, 8 used, 4 free in the first segment: 9 need another
}

// Rounds of one forward and one backward pass, three micro-batches in flight: the replay may pass over those that
// change nothing, and says what plain calls say.
TEST_CASE("rounds that repeat are replayed to the same end as call by call") {
  const std::vector<std::int64_t> made{3 * kMiB, 5 * kMiB, 11 * kMiB, kMiB / 2};
  constexpr int kRounds = 60, kInFlight = 3;
  const auto bytes_of = [&](int micro_batch, std::size_t i) {  // the first micro-batches are larger
    return made[i] + (micro_batch < 2 ? kMiB : 0);
  };
  program::Builder b;
  const program::DeviceIndex device = b.add_device({.ranks = {0}, .at = {}, .resident = {7 * kMiB}});
  CachingAllocator plain;
  plain.allocate(7 * kMiB);
  std::vector<std::vector<CachingAllocator::BlockId>> live(kRounds);
  const auto pass = [&](int micro_batch, bool forward, bool build) {
    for (std::size_t i = 0; i < made.size(); ++i) {
      const std::int64_t bytes = bytes_of(micro_batch, i);
      auto& of = live[static_cast<std::size_t>(micro_batch)];
      forward ? of.push_back(plain.allocate(bytes)) : plain.release(of[i]);
      if (!build) continue;
      const program::MemoryEffect effect{
          program::kNone, false, program::MemoryClass::activations, {}, forward ? bytes : -bytes};
      program::TaskTemplate t;
      t.duration = Time{1000};
      t.effects = b.add_effects({&effect, 1});
      const auto activity = forward ? program::Activity::forward : program::Activity::backward;
      b.add_task(b.add_template(t),
                 program::Participant{device, b.add_operation({device, activity, 0, 0, micro_batch})});
    }
  };
  for (int step = 0; step < 2; ++step, live.assign(kRounds, {})) {
    for (int m = 0; m < kRounds + kInFlight; ++m) {
      if (m < kRounds) pass(m, true, step == 0);
      if (m >= kInFlight) pass(m - kInFlight, false, step == 0);
    }
  }
  const auto program = b.finish();
  REQUIRE(program.ok());
  const DeviceMemory memory = memory_of(*program, evaluate_one_pass(*program))[0];
  CHECK(memory.reserved == plain.most_reserved());
  CHECK(memory.reserved > memory.peak);
}

}  // namespace orrery::engine::allocator_test
