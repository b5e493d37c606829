// What PyTorch's caching allocator does for a device: the most bytes it reserves, and how often it had to give segments
// back.
#pragma once
#include <cstdint>
#include <vector>

#include "call_runs.hpp"
#include "orrery/engine/engine.hpp"

namespace orrery::engine {

struct Reserved {
  std::int64_t bytes = 0, retries = 0;
};
Reserved reserved_by_allocator(const program::MemoryByClass& resident, const std::vector<CallRun>& runs,
                               const OwnerNumbers& owners, KnownEffects& effects, Bytes capacity, Segments segments);

// The same, once for each device whose calls are alike, whatever their times; `count`: how many were not known before.
class KnownReserved {
 public:
  Reserved of(const program::MemoryByClass& resident, const std::vector<CallRun>& runs, KnownEffects& effects,
              Bytes capacity, Segments segments);
  std::int64_t count() const { return count_; }
  std::size_t words() const { return words_; }  // of all keys

 private:
  std::unordered_map<Words, Reserved, HashOfWords> known_;
  std::int64_t count_ = 0;
  std::size_t words_ = 0;
};

}  // namespace orrery::engine
