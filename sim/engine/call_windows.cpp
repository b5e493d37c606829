#include "call_windows.hpp"

#include <algorithm>

#include "block_sizes.hpp"
#include "effect_lists.hpp"

namespace orrery::engine {
namespace {

constexpr std::uint32_t kNoMate = 0xffffffff;

// [call] the one that frees what it allocates, or allocated what it frees; kNoMate: not of this list.
std::vector<std::uint32_t> mates_of(const EffectList& list) {
  std::vector<std::uint32_t> mates(list.calls.size(), kNoMate), before(list.calls.size(), kNoMate);
  std::vector<std::uint32_t> latest(2 * list.tensors.size(), kNoMate);
  for (std::uint32_t c = 0; c < list.calls.size(); ++c) {
    const EffectList::Call call = list.calls[c];
    std::uint32_t& last = latest[2 * call.tensor + (call.backward ? 1 : 0)];
    if (call.allocates) {
      before[c] = last;
      last = c;
    } else if (last != kNoMate) {
      mates[c] = last, mates[last] = c;
      last = before[last];
    }
  }
  return mates;
}

// [call] the end of the shortest window that begins with it, or the call itself. One half alone: of two that are of one
// owner each frees what the other made last.
std::vector<std::uint32_t> window_ends(const EffectList& list, const std::vector<std::uint32_t>& mates) {
  constexpr int kMostLooks = 256;  // at windows within, and calls of none
  std::vector<std::uint32_t> ends(mates.size());
  for (auto first = static_cast<std::uint32_t>(mates.size()); first-- > 0;) {
    ends[first] = first;
    if (mates[first] == kNoMate || mates[first] < first) continue;
    std::uint32_t last = mates[first], c = first + 1;
    for (int looks = 0; c <= last && looks < kMostLooks; ++looks) {
      if (mates[c] == kNoMate || mates[c] < first || list.calls[c].backward != list.calls[first].backward) break;
      last = std::max(last, mates[c]);
      c = ends[c] > c ? ends[c] : c + 1;
    }
    if (c > last) ends[first] = c;
  }
  return ends;
}

}  // namespace

CallWindows::CallWindows(const EffectList& list, const TensorKinds& tensors) {
  const std::vector<std::uint32_t> ends = window_ends(list, mates_of(list));
  add_within(list, tensors, ends, 0, static_cast<std::uint32_t>(ends.size()), kMostDeep);
}

void CallWindows::add_within(const EffectList& list, const TensorKinds& tensors, std::span<const std::uint32_t> ends,
                             std::uint32_t first, std::uint32_t last, int deep) {
  for (std::uint32_t c = first; c < last; c = std::max(c + 1, ends[c])) {
    if (ends[c] == c) continue;
    const std::size_t at = all_.size();
    add(list, tensors, c, ends[c]);
    if (deep > 1 && ends[c] - c > 2) add_within(list, tensors, ends, c + 1, ends[c], deep - 1);
    all_[at].behind = static_cast<std::uint32_t>(all_.size());
  }
}

void CallWindows::add(const EffectList& list, const TensorKinds& tensors, std::uint32_t first, std::uint32_t last) {
  const std::size_t from = needs_.size();
  std::uint32_t live[2] = {0, 0};  // in the large pool, in the small one
  for (std::uint32_t c = first; c < last; ++c) {
    const std::int64_t bytes = tensors[list.tensors[list.calls[c].tensor]].bytes;
    std::uint32_t& in_pool = live[is_small(bytes) ? 1 : 0];
    if (list.calls[c].allocates)
      add_need(from, {bytes, ++in_pool});
    else
      --in_pool;
  }
  all_.push_back({first, last, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(needs_.size()), 0});
}

// Of those of one pool only what no other covers.
void CallWindows::add_need(std::size_t from, FreeNeed need) {
  const auto covers = [](const FreeNeed& a, const FreeNeed& b) {
    return is_small(a.bytes) == is_small(b.bytes) && a.bytes >= b.bytes && a.blocks >= b.blocks;
  };
  const auto begin = needs_.begin() + static_cast<std::ptrdiff_t>(from);
  if (std::any_of(begin, needs_.end(), [&](const FreeNeed& n) { return covers(n, need); })) return;
  needs_.erase(std::remove_if(begin, needs_.end(), [&](const FreeNeed& n) { return covers(need, n); }), needs_.end());
  needs_.push_back(need);
}

}  // namespace orrery::engine
