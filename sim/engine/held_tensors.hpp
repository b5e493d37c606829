// The tensors that a replay of a device's calls of the allocator holds.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/core/units.hpp"

namespace orrery::engine {

// A bijection between owners at one place and at another, as far as told.
class SameOwners {
 public:
  explicit SameOwners(std::size_t owners) : to_(owners, kNobody), from_(owners, kNobody) {}
  bool tell(std::uint32_t a, std::uint32_t b) {
    if (to_[a] == kNobody && from_[b] == kNobody) to_[a] = b, from_[b] = a;
    return to_[a] == b;
  }
  std::uint32_t of(std::uint32_t a) const {
    check(to_[a] != kNobody, "SameOwners: asked of one that nobody told of");
    return to_[a];
  }

 private:
  static constexpr std::uint32_t kNobody = 0xffffffff;
  std::vector<std::uint32_t> to_, from_;
};

template <class Allocator>
class HeldTensors {
 public:
  HeldTensors(std::size_t owners, Bytes capacity) : owners_(owners), allocator_(capacity.value) {}
  void add_kind(std::int64_t bytes) {
    kinds_.push_back({bytes});
    latest_.assign(owners_ * kinds_.size(), kNone);
  }
  void reserve(std::size_t calls) { held_.reserve(std::min<std::size_t>(calls, 1 << 16)); }

  Allocator& allocator() { return allocator_; }
  std::uint32_t calls() const { return calls_; }    // so far
  std::uint32_t owed() const { return owed_; }      // frees that came first in their instant
  std::uint64_t places() const { return places_; }  // changes with the places of the blocks that are held

  void allocate(std::uint32_t of, std::uint32_t owner) {
    ++calls_;
    Kind& kind = kinds_[of];
    if (kind.owed > 0) {  // made and freed in one instant
      --kind.owed, --owed_;
      return;
    }
    const typename Allocator::BlockId block = allocator_.allocate(kind.bytes);
    const auto h = static_cast<std::uint32_t>(held_.size());
    held_.push_back(
        {allocator_.place(block), block, of, owner, calls_, kNone, std::exchange(latest(of, owner), h), kNone});
    if (kind.oldest == kNone)
      kind.oldest = h;
    else
      held_[kind.last].after = h;
    kind.last = h;
    places_ += sign_of(held_[h]);
  }

  // Frees the last of its kind that the same owner made, else the oldest.
  void free(std::uint32_t of, std::uint32_t owner) {
    ++calls_;
    std::uint32_t& last = latest(of, owner);
    while (last != kNone && held_[last].freed != kNone) last = held_[last].before;
    if (last != kNone) return release(std::exchange(last, held_[last].before));
    Kind& kind = kinds_[of];
    while (kind.oldest != kNone && held_[kind.oldest].freed != kNone) kind.oldest = held_[kind.oldest].after;
    if (kind.oldest != kNone) return release(kind.oldest);
    ++kind.owed, ++owed_;
  }

  // Releases what outlives the step; `keep`: at() is still asked of calls before it.
  void let_go(bool keep) {
    ++calls_;
    for (std::uint32_t h = first_; h < held_.size(); ++h)
      if (held_[h].freed == kNone) release(h);
    if (!keep) held_.clear();
    first_ = static_cast<std::uint32_t>(held_.size());
    std::fill(latest_.begin(), latest_.end(), kNone);
    for (Kind& kind : kinds_) kind.oldest = kind.last = kNone, kind.owed = 0;
    owed_ = 0;
  }

  // What was held when there had been so many calls, in the order in which it was made.
  std::vector<std::uint32_t> at(std::uint32_t calls) const {
    std::vector<std::uint32_t> held;
    for (std::uint32_t h = 0; h < held_.size() && held_[h].born <= calls; ++h)
      if (held_[h].freed > calls) held.push_back(h);
    return held;
  }

  bool same(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b, SameOwners& owners) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](std::uint32_t of_a, std::uint32_t of_b) {
      const Held &x = held_[of_a], &y = held_[of_b];
      return x.kind == y.kind && x.place == y.place && owners.tell(x.owner, y.owner);
    });
  }

  // Of all that is held; whether any of it is another's now.
  template <class NewOwner>
  bool give_to(const std::vector<std::uint32_t>& held, const NewOwner& new_owner) {
    bool moved = false;
    for (const std::uint32_t h : held) {
      const std::uint32_t owner = new_owner(held_[h].owner);
      moved = moved || owner != held_[h].owner;
      held_[h].owner = owner;
    }
    if (!moved) return false;
    std::fill(latest_.begin(), latest_.end(), kNone);
    for (const std::uint32_t h : held) held_[h].before = std::exchange(latest(held_[h].kind, held_[h].owner), h);
    return true;
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Held {
    typename Allocator::Place place;
    typename Allocator::BlockId block;
    std::uint32_t kind, owner;
    std::uint32_t born, freed;    // calls so far
    std::uint32_t before, after;  // of the same kind: the one before of the same owner, the next of any
  };
  struct Kind {
    std::int64_t bytes;
    std::uint32_t oldest = kNone, last = kNone;  // of held_; what is held of it begins at `oldest` or behind it
    std::uint32_t owed = 0;
  };

  std::uint32_t& latest(std::uint32_t kind, std::uint32_t owner) { return latest_[owner * kinds_.size() + kind]; }

  void release(std::uint32_t h) {
    held_[h].freed = calls_;
    places_ -= sign_of(held_[h]);
    allocator_.release(held_[h].block);
  }

  static std::uint64_t sign_of(const Held& held) {
    const std::uint64_t sign = static_cast<std::uint64_t>(held.place.address) * 0x9E3779B97F4A7C15u;
    return (sign ^ sign >> 29) * 0xBF58476D1CE4E5B9u;
  }

  const std::size_t owners_;
  Allocator allocator_;
  std::vector<Kind> kinds_;
  std::vector<std::uint32_t> latest_;  // [owner][kind] of held_: the one made last that may be held
  std::vector<Held> held_;             // all that was allocated, in order
  std::uint32_t first_ = 0;            // of held_: of this step
  std::uint32_t calls_ = 0, owed_ = 0;
  std::uint64_t places_ = 0;
};

}  // namespace orrery::engine
