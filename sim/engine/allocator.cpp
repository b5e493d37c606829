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

std::size_t CachingAllocator::FreeBlocks::at(std::int64_t size) {
  Found& found = found_[(static_cast<std::uint64_t>(size) / kBlock * 0x9E3779B97F4A7C15u) >> 58];
  if (found.size != size)
    found = {size, static_cast<std::size_t>(std::lower_bound(sizes_.begin(), sizes_.end(), size) - sizes_.begin())};
  return found.index;
}

void CachingAllocator::FreeBlocks::mark(std::size_t index, bool filled) {
  const std::uint64_t bit = std::uint64_t{1} << (index % 64);
  filled_[index / 64] = filled ? filled_[index / 64] | bit : filled_[index / 64] & ~bit;
}

void CachingAllocator::FreeBlocks::insert_size(std::size_t index, std::int64_t size) {
  sizes_.insert(sizes_.begin() + static_cast<std::ptrdiff_t>(index), size);
  list_.insert(list_.begin() + static_cast<std::ptrdiff_t>(index), static_cast<std::uint32_t>(lists_.size()));
  lists_.emplace_back();
  index_.push_back(index);
  for (std::size_t i = index + 1; i < list_.size(); ++i) index_[list_[i]] = i;
  if (filled_.size() * 64 < sizes_.size()) filled_.push_back(0);
  for (std::size_t i = sizes_.size() - 1; i > index; --i) mark(i, any(i - 1));
  mark(index, false);
  found_.fill({});
}

void CachingAllocator::FreeBlocks::add(Block& block, BlockId id) {
  if (block.list >= lists_.size() || sizes_[index_[block.list]] != block.size) {  // else it has the size it had
    const std::size_t index = at(block.size);
    if (index == sizes_.size() || sizes_[index] != block.size) insert_size(index, block.size);
    block.list = list_[index];
  }
  std::vector<Free>& list = lists_[block.list];
  auto place = list.end();
  while (place != list.begin() && std::prev(place)->address < block.address) --place;
  list.insert(place, {block.address, id});
  if (list.size() == 1) mark(index_[block.list], true);
}

void CachingAllocator::FreeBlocks::remove(const Block& block) {
  std::vector<Free>& list = lists_[block.list];
  list.erase(std::lower_bound(list.begin(), list.end(), block.address,
                              [](const Free& f, std::int64_t address) { return f.address > address; }));
  if (list.empty()) mark(index_[block.list], false);
}

CachingAllocator::BlockId CachingAllocator::FreeBlocks::take_best(std::int64_t size) {
  const std::size_t first = at(size);
  for (std::size_t word = first / 64; word < filled_.size(); ++word) {
    const std::uint64_t from = word == first / 64 ? ~std::uint64_t{0} << (first % 64) : ~std::uint64_t{0};
    if ((filled_[word] & from) == 0) continue;
    const std::size_t index = word * 64 + static_cast<std::size_t>(std::countr_zero(filled_[word] & from));
    std::vector<Free>& list = lists_[list_[index]];
    const BlockId block = list.back().block;
    list.pop_back();
    if (list.empty()) mark(index, false);
    return block;
  }
  return kNoBlock;
}

template <class If>
void CachingAllocator::FreeBlocks::remove_if(If condition) {
  for (std::size_t index = 0; index < sizes_.size(); ++index) {
    std::vector<Free>& list = lists_[list_[index]];
    std::erase_if(list, [&](const Free& f) { return condition(f.block); });
    mark(index, !list.empty());
  }
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
  const BlockId block = new_block({next_address_, bytes, kNoBlock, kNoBlock, 0, false, small});
  next_address_ = checked_add(next_address_, bytes);
  return block;
}

void CachingAllocator::split(BlockId block, std::int64_t size) {
  const Block whole = blocks_[block];
  const std::int64_t rest = whole.size - size;
  if (whole.small ? rest < kBlock : rest <= kSmall) return;
  const BlockId right = new_block({whole.address + size, rest, block, whole.next, 0, true, whole.small});
  if (whole.next != kNoBlock) blocks_[whole.next].previous = right;
  blocks_[block].size = size;
  blocks_[block].next = right;
  pool_of(whole).add(blocks_[right], right);
}

CachingAllocator::BlockId CachingAllocator::allocate(std::int64_t bytes) {
  check(bytes > 0, "CachingAllocator: nothing to allocate");
  const std::int64_t size = ceil_div(bytes, kBlock) * kBlock;
  const bool small = size <= kSmall;
  BlockId block = pools_[small ? 0 : 1].take_best(size);
  if (block != kNoBlock) {
    blocks_[block].free = false;
  } else {
    block = new_segment(size, small);
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
  FreeBlocks& pool = pool_of(blocks_[block]);
  if (const BlockId next = blocks_[block].next; next != kNoBlock && blocks_[next].free) {
    pool.remove(blocks_[next]);
    join(block, next);
  }
  if (const BlockId previous = blocks_[block].previous; previous != kNoBlock && blocks_[previous].free) {
    pool.remove(blocks_[previous]);
    block = join(previous, block);
  }
  blocks_[block].free = true;
  pool.add(blocks_[block], block);
}

void CachingAllocator::give_back_segments() {
  for (FreeBlocks& pool : pools_)
    pool.remove_if([&](BlockId id) {
      const Block& block = blocks_[id];
      if (block.previous != kNoBlock || block.next != kNoBlock) return false;
      reserved_ -= block.size;
      unused_.push_back(id);
      return true;
    });
}

}  // namespace orrery::engine
