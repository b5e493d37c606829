#include "orrery/engine/allocator.hpp"

#include <algorithm>
#include <tuple>

#include "orrery/core/error.hpp"
#include "orrery/core/units.hpp"

namespace orrery::engine {
namespace {

// CUDACachingAllocator.cpp: kMinBlockSize, kSmallSize, kSmallBuffer, kMinLargeAlloc, kLargeBuffer, kRoundLarge.
constexpr std::int64_t kBlock = 512, kSmall = 1 << 20, kSmallSegment = 2 << 20, kLarge = 10 << 20,
                       kLargeSegment = 20 << 20, kRound = 2 << 20;

std::int64_t segment_size(std::int64_t size) {
  if (size <= kSmall) return kSmallSegment;
  return size < kLarge ? kLargeSegment : ceil_div(size, kRound) * kRound;
}

}  // namespace

CachingAllocator::Pool::iterator CachingAllocator::place_of(Pool& pool, const Block& block) {
  return std::lower_bound(pool.begin(), pool.end(), std::pair(block.size, block.address),
                          [](const FreeBlock& f, const auto& key) { return std::pair(f.size, f.address) < key; });
}

CachingAllocator::BlockId CachingAllocator::new_block(const Block& block) {
  if (unused_.empty()) {
    blocks_.push_back(block);
    return static_cast<BlockId>(blocks_.size() - 1);
  }
  const BlockId id = unused_.back();
  unused_.pop_back();
  blocks_[id] = block;
  return id;
}

CachingAllocator::BlockId CachingAllocator::new_segment(std::int64_t size, bool small) {
  const std::int64_t bytes = segment_size(size);
  if (reserved_ > capacity_ - bytes) {
    give_back_segments();
    ++retries_;
  }
  reserved_ = checked_add(reserved_, bytes);
  most_reserved_ = std::max(most_reserved_, reserved_);
  const BlockId block = new_block({next_address_, bytes, kNoBlock, kNoBlock, false, small});
  next_address_ = checked_add(next_address_, bytes);
  return block;
}

void CachingAllocator::split(BlockId block, std::int64_t size) {
  const Block whole = blocks_[block];
  const std::int64_t rest = whole.size - size;
  if (whole.small ? rest < kBlock : rest <= kSmall) return;
  const BlockId right = new_block({whole.address + size, rest, block, whole.next, true, whole.small});
  if (whole.next != kNoBlock) blocks_[whole.next].previous = right;
  blocks_[block].size = size;
  blocks_[block].next = right;
  Pool& pool = pool_of(whole);
  pool.insert(place_of(pool, blocks_[right]), {rest, whole.address + size, right});
}

CachingAllocator::BlockId CachingAllocator::allocate(std::int64_t bytes) {
  check(bytes > 0, "CachingAllocator: nothing to allocate");
  const std::int64_t size = ceil_div(bytes, kBlock) * kBlock;
  Block wanted;
  wanted.size = size;
  wanted.small = size <= kSmall;
  wanted.address = std::numeric_limits<std::int64_t>::min();
  Pool& pool = pool_of(wanted);
  const auto best = place_of(pool, wanted);
  BlockId block = kNoBlock;
  if (best != pool.end()) {
    block = best->block;
    pool.erase(best);
    blocks_[block].free = false;
  } else {
    block = new_segment(size, wanted.small);
  }
  split(block, size);
  return block;
}

// Neighbours become one block, with the id of the left one.
CachingAllocator::BlockId CachingAllocator::join(BlockId left, BlockId right) {
  blocks_[left].size += blocks_[right].size;
  blocks_[left].next = blocks_[right].next;
  if (blocks_[right].next != kNoBlock) blocks_[blocks_[right].next].previous = left;
  unused_.push_back(right);
  return left;
}

void CachingAllocator::release(BlockId block) {
  check(!blocks_[block].free, "CachingAllocator: released twice");
  Pool& pool = pool_of(blocks_[block]);
  const auto take_out = [&](BlockId neighbour) { pool.erase(place_of(pool, blocks_[neighbour])); };
  if (const BlockId next = blocks_[block].next; next != kNoBlock && blocks_[next].free) {
    take_out(next);
    join(block, next);
  }
  if (const BlockId previous = blocks_[block].previous; previous != kNoBlock && blocks_[previous].free) {
    take_out(previous);
    block = join(previous, block);
  }
  blocks_[block].free = true;
  pool.insert(place_of(pool, blocks_[block]), {blocks_[block].size, blocks_[block].address, block});
}

void CachingAllocator::give_back_segments() {
  for (Pool& pool : pools_)
    std::erase_if(pool, [&](const FreeBlock& f) {
      const Block& block = blocks_[f.block];
      if (block.previous != kNoBlock || block.next != kNoBlock) return false;
      reserved_ -= block.size;
      unused_.push_back(f.block);
      return true;
    });
}

}  // namespace orrery::engine
