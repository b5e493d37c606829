// Reserved memory: the memory effects of a device, in the order of the timeline, as calls of PyTorch's caching
// allocator.
//
// The effects of the passes are those of single tensors. A free is that of the last tensor of its size and class which
// the same micro-batch made in the same stage, else of the oldest such tensor. What stays for the whole run is taken as
// one block a class, made before the first step: frameworks make weights, flat gradient buffers and optimizer states
// once, in segments that nothing else shares. The host is taken to make its calls in the order in which the device runs
// the kernels.
#include <algorithm>

#include "changes.hpp"
#include "orrery/engine/allocator.hpp"

namespace orrery::engine {
namespace {

// A step starts with what the one before left in the cache; after a few the segments no longer change.
constexpr int kMostSteps = 4;

class Replay {
 public:
  Replay(std::size_t tensors, Bytes capacity) : allocator_(capacity.value), live_(tensors), owed_(tensors, 0) {}

  Reserved run(const program::MemoryByClass& resident, const std::vector<Change>& changes) {
    for (const std::int64_t bytes : resident)
      if (bytes > 0) allocator_.allocate(bytes);
    for (int step = 0; step < kMostSteps; ++step) {
      const std::int64_t before = allocator_.most_reserved();
      for (const Change& change : changes) make(change);
      end_step();
      if (allocator_.most_reserved() == before) break;
    }
    return {allocator_.most_reserved(), allocator_.retries()};
  }

 private:
  struct Live {
    std::int64_t owner;
    CachingAllocator::BlockId block;
  };

  void make(const Change& change) {
    std::vector<Live>& live = live_[change.tensor];
    if (change.bytes > 0) {
      if (owed_[change.tensor] > 0) {  // made and freed in one instant
        --owed_[change.tensor];
      } else {
        live.push_back({change.owner, allocator_.allocate(change.bytes)});
      }
      return;
    }
    if (live.empty()) {
      ++owed_[change.tensor];
      return;
    }
    const auto at = std::find_if(live.rbegin(), live.rend(), [&](const Live& l) { return l.owner == change.owner; });
    const auto found = at == live.rend() ? live.begin() : std::prev(at.base());
    allocator_.release(found->block);
    live.erase(found);
  }

  void end_step() {
    for (std::vector<Live>& live : live_) {
      for (const Live& l : live) allocator_.release(l.block);
      live.clear();
    }
    std::fill(owed_.begin(), owed_.end(), 0);
  }

  CachingAllocator allocator_;
  std::vector<std::vector<Live>> live_;  // [tensor] in order of allocation
  std::vector<int> owed_;                // [tensor] frees that came first in their instant
};

}  // namespace

Reserved reserved_by_allocator(const program::MemoryByClass& resident, const std::vector<Change>& changes,
                               std::size_t tensors, Bytes capacity) {
  return Replay(tensors, capacity).run(resident, changes);
}

}  // namespace orrery::engine
