// PyTorch's caching allocator (c10/cuda/CUDACachingAllocator.cpp; with expandable segments: expandable.hpp): memory
// comes from the GPU in segments that are cut into blocks; freed blocks are kept, joined with their free neighbours,
// and given out again best fit first.
//
//   size         ⌈bytes / 512⌉ · 512
//   small pool   size ≤ 1 MiB: segments of 2 MiB; a block is split when at least 512 B remain
//   large pool   size < 10 MiB: segments of 20 MiB, else of ⌈size / 2 MiB⌉ · 2 MiB; split when more than 1 MiB remains
//
// A block never spans segments. A segment that the GPU has no room for makes the allocator give back all that are
// wholly free and ask again.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace orrery::engine {

class CachingAllocator {
 public:
  using BlockId = std::uint32_t;

  explicit CachingAllocator(std::int64_t capacity = std::numeric_limits<std::int64_t>::max()) : capacity_(capacity) {}

  BlockId allocate(std::int64_t bytes);  // > 0
  void release(BlockId block);
  bool has_free(std::int64_t bytes, std::uint32_t blocks) const;  // so many free blocks of at least so many bytes
  std::int64_t reserved() const { return reserved_; }             // in segments now
  std::int64_t most_reserved() const { return most_reserved_; }   // max_memory_reserved
  std::int64_t retries() const { return retries_; }  // times the GPU refused and segments were given back for it
  // Of all segments so far, given back or not. While it stays, the live blocks say where the free ones are.
  std::int64_t taken() const { return next_address_; }
  struct Place {
    std::int64_t address, size;
    friend bool operator==(const Place&, const Place&) = default;
  };
  Place place(BlockId block) const { return {blocks_[block].address, blocks_[block].size}; }

 private:
  static constexpr BlockId kNoBlock = 0xffffffff;
  struct Block {
    std::int64_t address = 0, size = 0;
    BlockId previous = kNoBlock, next = kNoBlock;  // neighbours in the segment
    BlockId lower = kNoBlock, higher = kNoBlock;   // of the free blocks of its size
    std::uint32_t list = 0;                        // of its pool, that it is in
    bool free = false, small = false;
  };
  // The free blocks of one size, by address; where there are none, neither is there a lowest.
  struct List {
    std::int64_t size;
    BlockId lowest = kNoBlock, highest = kNoBlock;
    BlockId near = kNoBlock;            // one of them, near where the last was put in
    std::uint32_t rank = 0, count = 0;  // of the size among all; of blocks
  };
  // A list for each size there has been: what is freed mostly has the size of something before, so sizes are few where
  // blocks are many.
  struct Pool {
    std::vector<List> lists;
    std::vector<std::uint32_t> by_size;  // [rank] ascending: index of lists
    std::vector<std::uint64_t> filled;   // bit [rank] whether there are any
    struct Found {
      std::int64_t size = -1;
      std::uint32_t list = 0;
    };
    std::array<Found, 256> found;  // by a hash of the size: most are asked for again and again

    std::uint32_t list_of(std::int64_t size);
    std::uint32_t found_or_new(std::int64_t size);
    void mark(const List& list);
  };

  BlockId take_best(Pool& pool, std::int64_t size);  // the smallest that is large enough, the lowest of those
  void add(BlockId id);                              // to the free ones
  void remove(BlockId id);
  void insert_between(List& list, BlockId id);
  BlockId new_segment(std::int64_t size, bool small);
  BlockId new_block();
  void split(BlockId block, std::int64_t size);
  void join(BlockId left, BlockId right);
  void give_back_segments();
  Pool& pool_of(const Block& block) { return pools_[block.small ? 0 : 1]; }

  std::int64_t capacity_, reserved_ = 0, most_reserved_ = 0, next_address_ = 0, retries_ = 0;
  std::vector<Block> blocks_;
  std::vector<BlockId> unused_;
  std::array<Pool, 2> pools_;  // small, large
};

}  // namespace orrery::engine
