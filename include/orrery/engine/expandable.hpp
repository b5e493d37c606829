// PyTorch's caching allocator with PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True (c10/cuda/CUDACachingAllocator.cpp,
// ExpandableSegment): each pool is one range of addresses that grows at its end, page by page, so that blocks freed one
// after the other serve a larger one.
//
//   size         ⌈bytes / 512⌉ · 512; a block is split when at least 512 B remain
//   small pool   size ≤ 1 MiB: pages of 2 MiB; large pool: pages of 20 MiB
//   best fit     the smallest free block that is large enough; one that can grow counts with what it can grow by
//   growth       free blocks beside addresses without pages take the missing pages, the lowest first
//
// Pages that the GPU has no room for make the allocator give back all that lie wholly in free blocks and ask again.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace orrery::engine {

class ExpandableAllocator {
 public:
  using BlockId = std::int64_t;  // its address

  explicit ExpandableAllocator(std::int64_t capacity = std::numeric_limits<std::int64_t>::max());

  BlockId allocate(std::int64_t bytes);  // > 0
  void release(BlockId block);
  bool has_free(std::int64_t bytes, std::uint32_t blocks) const;  // so many free blocks of at least so many bytes
  std::int64_t reserved() const { return reserved_; }             // in pages now
  std::int64_t most_reserved() const { return most_reserved_; }   // max_memory_reserved
  std::int64_t retries() const { return retries_; }  // times the GPU refused and pages were given back for it
  // Of all pages so far, given back or not. While it stays, the live blocks say where the free ones are.
  std::int64_t taken() const { return taken_; }
  struct Place {
    std::int64_t address, size;
    friend bool operator==(const Place&, const Place&) = default;
  };
  Place place(BlockId block) const { return {block, pools_[pool_of(block)].blocks.at(block).size}; }

 private:
  enum class State : std::uint8_t { used, free, unmapped };
  struct Block {
    std::int64_t size = 0;
    State state = State::free;
  };
  // By address: neighbours in the map are neighbours in memory; behind the last, addresses without pages and end.
  struct Pool {
    std::int64_t page, base;
    std::map<std::int64_t, Block> blocks;
    std::set<std::pair<std::int64_t, std::int64_t>> free;  // size, address
    std::set<std::int64_t> holes;                          // unmapped
    std::int64_t end() const { return blocks.empty() ? base : blocks.rbegin()->first + blocks.rbegin()->second.size; }
  };
  struct Growth {
    std::int64_t from = 0, missing = 0;  // address; bytes of pages
  };

  static std::size_t pool_of(BlockId block);
  void put(Pool& pool, std::int64_t address, std::int64_t size, State state);
  void take_out(Pool& pool, std::int64_t address);
  std::int64_t can_grow_to(const Pool& pool, std::int64_t address) const;  // its size and that of the hole behind it
  std::int64_t best_fit(const Pool& pool, std::int64_t size) const;        // its address, or −1
  bool grows(const Pool& pool, std::int64_t size, Growth& growth) const;   // from growth.from on
  Growth growth_of(const Pool& pool, std::int64_t size) const;
  std::int64_t grow(Pool& pool, std::int64_t size);
  void give_back_pages(Pool& pool);

  std::int64_t capacity_, reserved_ = 0, most_reserved_ = 0, retries_ = 0, taken_ = 0;
  std::array<Pool, 2> pools_;
};

}  // namespace orrery::engine
