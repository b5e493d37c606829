// PyTorch's caching allocator (c10/cuda/CUDACachingAllocator.cpp, without expandable segments): memory comes from the
// GPU in segments that are cut into blocks; freed blocks are kept, joined with their free neighbours, and given out
// again best fit first.
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
  std::int64_t reserved() const { return reserved_; }            // in segments now
  std::int64_t most_reserved() const { return most_reserved_; }  // max_memory_reserved
  std::int64_t retries() const { return retries_; }  // times the GPU refused and segments were given back for it

 private:
  static constexpr BlockId kNoBlock = 0xffffffff;
  struct Block {
    std::int64_t address = 0, size = 0;
    BlockId previous = kNoBlock, next = kNoBlock;  // neighbours in the segment
    bool free = false, small = false;
  };
  struct FreeBlock {
    std::int64_t size, address;
    BlockId block;
  };
  using Pool = std::vector<FreeBlock>;  // by size, then address

  BlockId new_segment(std::int64_t size, bool small);
  BlockId new_block(const Block& block);
  void split(BlockId block, std::int64_t size);
  BlockId join(BlockId left, BlockId right);
  void give_back_segments();
  Pool::iterator place_of(Pool& pool, const Block& block);
  Pool& pool_of(const Block& block) { return pools_[block.small ? 0 : 1]; }

  std::int64_t capacity_, reserved_ = 0, most_reserved_ = 0, next_address_ = 0, retries_ = 0;
  std::vector<Block> blocks_;
  std::vector<BlockId> unused_;
  std::array<Pool, 2> pools_;  // small, large: the free blocks
};

}  // namespace orrery::engine
