// Stretches of a list's calls that free all they allocate and nothing else, and what lets a replay leave them out.
//
// Let H be the free blocks of a pool as such a window begins. While no segment is taken each tensor of the window lies
// within one block of H, and a block of H within which none lies is whole again, as its neighbours are not of the
// window. So a call that finds n tensors of the window in its pool has room if n + 1 blocks of H are large enough for
// it, whatever the fit. Where that holds of all its calls the window takes no segment, and behind it the free blocks
// are H again.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace orrery::engine {

struct EffectList;
class TensorKinds;

// So many free blocks of at least so many bytes.
struct FreeNeed {
  std::int64_t bytes;
  std::uint32_t blocks;
};
class CallWindows {
 public:
  // Calls [first, last) of the list; needs [first_need, last_need); those within it are the next, up to `behind`.
  struct Window {
    std::uint32_t first, last, first_need, last_need, behind;
  };
  CallWindows(const EffectList& list, const TensorKinds& tensors);

  const std::vector<Window>& all() const { return all_; }  // by their first calls
  std::span<const FreeNeed> needs(const Window& w) const {
    return std::span(needs_).subspan(w.first_need, w.last_need - w.first_need);
  }

 private:
  static constexpr int kMostDeep = 4;

  void add_within(const EffectList& list, const TensorKinds& tensors, std::span<const std::uint32_t> ends,
                  std::uint32_t first, std::uint32_t last, int deep);
  void add(const EffectList& list, const TensorKinds& tensors, std::uint32_t first, std::uint32_t last);
  void add_need(std::size_t from, FreeNeed need);

  std::vector<Window> all_;
  std::vector<FreeNeed> needs_;
};

}  // namespace orrery::engine
