#include "orrery/engine/allocator.hpp"

#include <algorithm>
#include <bit>

#include "block_sizes.hpp"
#include "orrery/core/error.hpp"
#include "orrery/core/units.hpp"

namespace orrery::engine {
namespace {

// CUDACachingAllocator.cpp: kSmallBuffer, kMinLargeAlloc, kLargeBuffer, kRoundLarge.
constexpr std::int64_t kSmallSegment = 2 << 20, kLarge = 10 << 20, kLargeSegment = 20 << 20, kRound = 2 << 20;

std::int64_t segment_size(std::int64_t size) {
  if (size <= kSmall) return kSmallSegment;
  return size < kLarge ? kLargeSegment : ceil_div(size, kRound) * kRound;
}

}  // namespace

inline std::uint32_t CachingAllocator::Pool::list_of(std::int64_t size) {
  Found& at = found[(static_cast<std::uint64_t>(size) / kBlock * 0x9E3779B97F4A7C15u) >> 56];
  if (at.size != size) at = {size, found_or_new(size)};
  return at.list;
}

std::uint32_t CachingAllocator::Pool::found_or_new(std::int64_t size) {
  const auto smaller = [&](std::uint32_t list, std::int64_t than) { return lists[list].size < than; };
  const auto at = std::lower_bound(by_size.begin(), by_size.end(), size, smaller);
  if (at != by_size.end() && lists[*at].size == size) return *at;
  const auto list = static_cast<std::uint32_t>(lists.size());
  auto rank = static_cast<std::uint32_t>(at - by_size.begin());
  lists.push_back({size});
  by_size.insert(at, list);
  if (filled.size() * 64 < by_size.size()) filled.push_back(0);
  for (; rank < by_size.size(); ++rank) {
    lists[by_size[rank]].rank = rank;
    mark(lists[by_size[rank]]);
  }
  return list;
}

inline void CachingAllocator::Pool::mark(const List& list) {
  const std::uint64_t bit = std::uint64_t{1} << (list.rank % 64);
  std::uint64_t& word = filled[list.rank / 64];
  word = list.count > 0 ? word | bit : word & ~bit;
}

// Mostly at one end, or beside the one before: what was allocated in order is freed in this order or in the reverse
// one.
inline void CachingAllocator::add(BlockId id) {
  Block& block = blocks_[id];
  Pool& pool = pool_of(block);
  block.list = pool.list_of(block.size);
  block.free = true;
  List& list = pool.lists[block.list];
  if (list.count++ == 0) {
    block.lower = block.higher = kNoBlock;
    list.lowest = list.highest = list.near = id;
    pool.mark(list);
  } else if (block.address < blocks_[list.lowest].address) {
    block.lower = kNoBlock;
    block.higher = list.lowest;
    blocks_[list.lowest].lower = id;
    list.lowest = id;
  } else {
    insert_between(list, id);
  }
}

void CachingAllocator::insert_between(List& list, BlockId id) {
  Block& block = blocks_[id];
  const auto is_above = [&](BlockId other) { return blocks_[other].address > block.address; };
  BlockId lower = is_above(list.highest) ? list.near : list.highest;
  while (is_above(lower)) lower = blocks_[lower].lower;
  BlockId higher = blocks_[lower].higher;
  for (; higher != kNoBlock && !is_above(higher); higher = blocks_[lower].higher) lower = higher;
  block.lower = lower, block.higher = higher;
  blocks_[lower].higher = list.near = id;
  (higher == kNoBlock ? list.highest : blocks_[higher].lower) = id;
}

inline void CachingAllocator::remove(BlockId id) {
  Block& block = blocks_[id];
  Pool& pool = pool_of(block);
  List& list = pool.lists[block.list];
  block.free = false;
  if (--list.count == 0) return pool.mark(list);
  if (list.near == id) list.near = block.lower == kNoBlock ? block.higher : block.lower;
  (block.lower == kNoBlock ? list.lowest : blocks_[block.lower].higher) = block.higher;
  (block.higher == kNoBlock ? list.highest : blocks_[block.higher].lower) = block.lower;
}

inline CachingAllocator::BlockId CachingAllocator::take_best(Pool& pool, std::int64_t size) {
  const std::uint32_t first = pool.lists[pool.list_of(size)].rank;
  std::size_t word = first / 64;
  std::uint64_t bits = pool.filled[word] & ~std::uint64_t{0} << (first % 64);
  while (bits == 0) {
    if (++word == pool.filled.size()) return kNoBlock;
    bits = pool.filled[word];
  }
  const std::size_t rank = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  const BlockId block = pool.lists[pool.by_size[rank]].lowest;
  remove(block);
  return block;
}

// The largest first.
bool CachingAllocator::has_free(std::int64_t bytes, std::uint32_t blocks) const {
  const std::int64_t size = rounded(bytes);
  const Pool& pool = pools_[is_small(size) ? 0 : 1];
  std::uint32_t found = 0;
  for (std::size_t word = pool.filled.size(); word-- > 0;)
    for (std::uint64_t bits = pool.filled[word]; bits != 0; bits ^= std::bit_floor(bits)) {
      const List& list = pool.lists[pool.by_size[word * 64 + static_cast<std::size_t>(std::bit_width(bits)) - 1]];
      if (list.size < size) return false;
      found += list.count;
      if (found >= blocks) return true;
    }
  return false;
}

inline CachingAllocator::BlockId CachingAllocator::new_block() {
  if (unused_.empty()) {
    blocks_.emplace_back();
    return static_cast<BlockId>(blocks_.size() - 1);
  }
  const BlockId id = unused_.back();
  unused_.pop_back();
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
  const BlockId id = new_block();
  Block& block = blocks_[id];
  block.address = next_address_, block.size = bytes;
  block.previous = block.next = kNoBlock;
  block.free = false, block.small = small;
  next_address_ = checked_add(next_address_, bytes);
  return id;
}

// The rest is a free block behind it.
void CachingAllocator::split(BlockId id, std::int64_t size) {
  const BlockId rest = new_block();
  Block &left = blocks_[id], &right = blocks_[rest];
  right.address = left.address + size, right.size = left.size - size;
  right.previous = id, right.next = left.next;
  right.small = left.small;
  if (left.next != kNoBlock) blocks_[left.next].previous = rest;
  left.size = size, left.next = rest;
  add(rest);
}

CachingAllocator::BlockId CachingAllocator::allocate(std::int64_t bytes) {
  check(bytes > 0, "CachingAllocator: nothing to allocate");
  const std::int64_t size = rounded(bytes);
  const bool small = is_small(size);
  BlockId block = take_best(pools_[small ? 0 : 1], size);
  if (block == kNoBlock) block = new_segment(size, small);
  if (blocks_[block].size - size > (small ? 0 : kSmall)) split(block, size);
  return block;
}

// Neighbours become one block, the left one.
inline void CachingAllocator::join(BlockId left, BlockId right) {
  blocks_[left].size += blocks_[right].size;
  blocks_[left].next = blocks_[right].next;
  if (blocks_[right].next != kNoBlock) blocks_[blocks_[right].next].previous = left;
  unused_.push_back(right);
}

void CachingAllocator::release(BlockId block) {
  check(!blocks_[block].free, "CachingAllocator: released twice");
  if (const BlockId next = blocks_[block].next; next != kNoBlock && blocks_[next].free) {
    remove(next);
    join(block, next);
  }
  if (const BlockId previous = blocks_[block].previous; previous != kNoBlock && blocks_[previous].free) {
    remove(previous);
    join(previous, block);
    block = previous;
  }
  add(block);
}

void CachingAllocator::give_back_segments() {
  for (Pool& pool : pools_)
    for (const List& list : pool.lists) {
      BlockId id = list.count > 0 ? list.lowest : kNoBlock;
      while (id != kNoBlock) {
        const Block& block = blocks_[id];
        const BlockId whole = id;
        id = block.higher;
        if (block.previous != kNoBlock || block.next != kNoBlock) continue;
        reserved_ -= block.size;
        remove(whole);
        unused_.push_back(whole);
      }
    }
}

}  // namespace orrery::engine
