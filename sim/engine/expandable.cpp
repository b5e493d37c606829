#include "orrery/engine/expandable.hpp"

#include <algorithm>
#include <vector>

#include "block_sizes.hpp"
#include "orrery/core/error.hpp"
#include "orrery/core/units.hpp"

namespace orrery::engine {
namespace {

// CUDACachingAllocator.cpp: kSmallBuffer and kLargeBuffer are the pages.
constexpr std::int64_t kSmallPage = 2 << 20, kLargePage = 20 << 20;
constexpr std::int64_t kFar = kLargePage << 35;  // where the addresses of the large pool begin
constexpr std::int64_t kEndless = std::numeric_limits<std::int64_t>::max();

}  // namespace

ExpandableAllocator::ExpandableAllocator(std::int64_t capacity)
    : capacity_(capacity), pools_{Pool{kSmallPage, 0, {}, {}, {}}, Pool{kLargePage, kFar, {}, {}, {}}} {}

std::size_t ExpandableAllocator::pool_of(BlockId block) {
  return block < kFar ? 0 : 1;
}

void ExpandableAllocator::put(Pool& pool, std::int64_t address, std::int64_t size, State state) {
  if (size == 0) return;
  pool.blocks[address] = {size, state};
  if (state == State::free) pool.free.emplace(size, address);
  if (state == State::unmapped) pool.holes.insert(address);
}

void ExpandableAllocator::take_out(Pool& pool, std::int64_t address) {
  const auto it = pool.blocks.find(address);
  pool.free.erase({it->second.size, address});
  pool.holes.erase(address);
  pool.blocks.erase(it);
}

std::int64_t ExpandableAllocator::can_grow_to(const Pool& pool, std::int64_t address) const {
  const auto it = pool.blocks.find(address), next = std::next(it);
  if (next == pool.blocks.end()) return kEndless;
  return it->second.size + (next->second.state == State::unmapped ? next->second.size : 0);
}

// get_free_block(): of those that are large enough by size, on while the next can grow to less than this one.
std::int64_t ExpandableAllocator::best_fit(const Pool& pool, std::int64_t size) const {
  auto best = pool.free.lower_bound({size, std::numeric_limits<std::int64_t>::min()});
  if (best == pool.free.end()) return -1;
  for (auto next = std::next(best); next != pool.free.end(); ++next) {
    if (can_grow_to(pool, next->second) >= can_grow_to(pool, best->second)) break;
    best = next;
  }
  return best->second;
}

// Whether free blocks and holes, one behind the other, make up the size.
bool ExpandableAllocator::grows(const Pool& pool, std::int64_t size, Growth& growth) const {
  growth.missing = 0;
  std::int64_t have = 0;
  for (auto it = pool.blocks.find(growth.from); have < size; ++it) {
    const std::int64_t pages = ceil_div(size - have, pool.page) * pool.page;
    if (it == pool.blocks.end()) {
      growth.missing += pages;
      return true;
    }
    const auto& [bytes, state] = it->second;
    if (state == State::used) return false;
    const std::int64_t taken = state == State::free ? bytes : std::min(bytes, pages);
    if (state == State::unmapped) growth.missing += taken;
    have += taken;
  }
  return true;
}

// find_expandable_block(): the lowest hole, with the free block before it; else the end.
ExpandableAllocator::Growth ExpandableAllocator::growth_of(const Pool& pool, std::int64_t size) const {
  Growth growth;
  const auto with_free_before = [&](std::map<std::int64_t, Block>::const_iterator at, std::int64_t address) {
    if (at == pool.blocks.begin()) return address;
    const auto before = std::prev(at);
    return before->second.state == State::free ? before->first : address;
  };
  for (const std::int64_t hole : pool.holes) {
    growth.from = with_free_before(pool.blocks.find(hole), hole);
    if (grows(pool, size, growth)) return growth;
  }
  growth.from = with_free_before(pool.blocks.end(), pool.end());
  check(grows(pool, size, growth), "ExpandableAllocator: the end of a pool does not grow");
  return growth;
}

// try_allocate_expandable_block(): one free block of at least the size.
std::int64_t ExpandableAllocator::grow(Pool& pool, std::int64_t size) {
  Growth growth = growth_of(pool, size);
  if (reserved_ > capacity_ - growth.missing) {
    for (Pool& any : pools_) give_back_pages(any);
    ++retries_;
    growth = growth_of(pool, size);
  }
  reserved_ = checked_add(reserved_, growth.missing);
  taken_ = checked_add(taken_, growth.missing);
  most_reserved_ = std::max(most_reserved_, reserved_);
  std::int64_t have = 0;
  while (have < size) {
    const std::int64_t at = growth.from + have, pages = ceil_div(size - have, pool.page) * pool.page;
    const auto it = pool.blocks.find(at);
    if (it == pool.blocks.end()) {
      have += pages;
      break;
    }
    const Block block = it->second;
    const std::int64_t taken = block.state == State::free ? block.size : std::min(block.size, pages);
    take_out(pool, at);
    put(pool, at + taken, block.size - taken, State::unmapped);
    have += taken;
  }
  put(pool, growth.from, have, State::free);
  return growth.from;
}

ExpandableAllocator::BlockId ExpandableAllocator::allocate(std::int64_t bytes) {
  check(bytes > 0, "ExpandableAllocator: nothing to allocate");
  const std::int64_t size = rounded(bytes);
  Pool& pool = pools_[is_small(size) ? 0 : 1];
  std::int64_t address = best_fit(pool, size);
  if (address < 0) address = grow(pool, size);
  const std::int64_t whole = pool.blocks.at(address).size;
  take_out(pool, address);
  put(pool, address, size, State::used);
  put(pool, address + size, whole - size, State::free);
  return address;
}

bool ExpandableAllocator::has_free(std::int64_t bytes, std::uint32_t blocks) const {
  const auto& free = pools_[is_small(rounded(bytes)) ? 0 : 1].free;
  std::uint32_t found = 0;
  for (auto it = free.rbegin(); it != free.rend() && it->first >= rounded(bytes) && found < blocks; ++it) ++found;
  return found == blocks;
}

void ExpandableAllocator::release(BlockId block) {
  Pool& pool = pools_[pool_of(block)];
  auto it = pool.blocks.find(block);
  check(it != pool.blocks.end() && it->second.state == State::used, "ExpandableAllocator: released twice");
  std::int64_t from = block, size = it->second.size;
  const auto next = std::next(it);
  if (next != pool.blocks.end() && next->second.state == State::free) {
    size += next->second.size;
    take_out(pool, next->first);
  }
  if (it != pool.blocks.begin() && std::prev(it)->second.state == State::free) {
    from = std::prev(it)->first;
    size += std::prev(it)->second.size;
    take_out(pool, from);
  }
  take_out(pool, block);
  put(pool, from, size, State::free);
}

// release_cached_blocks(): pages that lie wholly within free blocks; holes that touch become one.
void ExpandableAllocator::give_back_pages(Pool& pool) {
  const std::vector<std::pair<std::int64_t, std::int64_t>> free(pool.free.begin(), pool.free.end());
  for (const auto& [size, address] : free) {
    const std::int64_t end = address + size, first = pool.base + ceil_div(address - pool.base, pool.page) * pool.page,
                       last = pool.base + (end - pool.base) / pool.page * pool.page;
    if (first >= last) continue;
    reserved_ -= last - first;
    take_out(pool, address);
    put(pool, address, first - address, State::free);
    put(pool, first, last - first, State::unmapped);
    put(pool, last, end - last, State::free);
  }
  for (auto it = pool.blocks.begin(); it != pool.blocks.end();) {
    const auto next = std::next(it);
    const bool hole = it->second.state == State::unmapped;
    if (hole && next == pool.blocks.end()) {
      take_out(pool, it->first);
      break;
    }
    if (hole && next->second.state == State::unmapped) {
      it->second.size += next->second.size;
      take_out(pool, next->first);
    } else {
      it = next;
    }
  }
}

}  // namespace orrery::engine
