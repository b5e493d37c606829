// Reserved memory: the memory effects of a device, in the order of the timeline, as calls of PyTorch's caching
// allocator.
//
// The effects of the passes are those of single tensors. A free is that of the last tensor of its size and class which
// the same micro-batch made in the same stage, else of the oldest such tensor. What stays for the whole run is taken as
// one block a class, made before the first step: frameworks make weights, flat gradient buffers and optimizer states
// once, in segments that nothing else shares. The host is taken to make its calls in the order in which the device runs
// the kernels.
//
// In the steady part of a schedule each round makes the calls of the round before. Where it also starts from the same
// blocks, so do all that follow, and they change nothing: the replay goes on behind them. So does a step that somewhere
// stands as the step before it did: the rest of it changes nothing either.
#include <algorithm>
#include <bit>
#include <unordered_map>
#include <utility>

#include "changes.hpp"
#include "orrery/core/random.hpp"
#include "orrery/engine/allocator.hpp"
#include "orrery/engine/expandable.hpp"

namespace orrery::engine {
namespace {

// A step starts with what the one before left in the cache; after a few the segments no longer change.
constexpr int kMostSteps = 4;

// One step as calls of the allocator. > 0: allocate so many bytes; < 0: release what the call so many places before
// allocated. Each is released: what outlives the step at its end.
using Calls = std::vector<std::int64_t>;

class CallsMaker {
 public:
  CallsMaker(const std::vector<Change>& changes, std::size_t tensors)
      : changes_(changes), made_(tensors), held_(changes.size(), 0), before_(changes.size()) {
    calls_.reserve(changes.size());
  }

  Calls make() {
    for (const Change& change : changes_) change.bytes > 0 ? allocate(change) : release(change);
    for (const Made& made : made_)
      for (const std::uint32_t call : made.calls)
        if (held_[call] != 0) give_back(call);
    return std::move(calls_);
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Made {                         // of one tensor
    std::vector<std::uint32_t> calls;   // in order
    std::size_t oldest = 0;             // what is held of `calls` begins there or later
    std::vector<std::uint32_t> latest;  // [owner] the call last made that may be held, or kNone
    int owed = 0;                       // frees that came first in their instant
  };

  std::uint32_t& latest(Made& made, std::int64_t owner) {
    if (owner != owner_ || owners_.empty()) {  // a pass makes many changes
      owner_ = owner;
      number_ = owners_.try_emplace(owner, static_cast<std::uint32_t>(owners_.size())).first->second;
    }
    if (made.latest.size() <= number_) made.latest.resize(number_ + 1, kNone);
    return made.latest[number_];
  }

  void allocate(const Change& change) {
    Made& made = made_[change.tensor];
    if (made.owed > 0) {  // made and freed in one instant
      --made.owed;
      return;
    }
    const auto call = static_cast<std::uint32_t>(calls_.size());
    std::uint32_t& last = latest(made, change.owner);
    made.calls.push_back(call);
    calls_.push_back(change.bytes);
    held_[call] = 1;
    before_[call] = std::exchange(last, call);
  }

  void release(const Change& change) {
    Made& made = made_[change.tensor];
    std::uint32_t& last = latest(made, change.owner);
    while (last != kNone && held_[last] == 0) last = before_[last];
    if (last != kNone) return give_back(std::exchange(last, before_[last]));
    while (made.oldest < made.calls.size() && held_[made.calls[made.oldest]] == 0) ++made.oldest;
    if (made.oldest < made.calls.size()) return give_back(made.calls[made.oldest]);
    ++made.owed;
  }

  void give_back(std::uint32_t call) {
    held_[call] = 0;
    calls_.push_back(static_cast<std::int64_t>(call) - static_cast<std::int64_t>(calls_.size()));
  }

  const std::vector<Change>& changes_;
  Calls calls_;
  std::vector<Made> made_;             // [tensor]
  std::vector<std::uint8_t> held_;     // [call] whether it allocates and is not given back yet
  std::vector<std::uint32_t> before_;  // [call] the one before of the same tensor and owner
  std::unordered_map<std::int64_t, std::uint32_t> owners_;
  std::int64_t owner_ = 0;  // the last asked for, and its number
  std::uint32_t number_ = 0;
};

// Calls [begin, end) of which each equals the one `period` before it, from the second period on.
struct Rounds {
  std::size_t begin = 0, end = 0, period = 0;
};

// [i] how many calls before `end` equal those before end - i (the Z function, from the back).
std::vector<std::uint32_t> common_before(const Calls& calls, std::size_t end) {
  const auto at = [&](std::size_t i) { return calls[end - 1 - i]; };
  std::vector<std::uint32_t> common(end, 0);
  for (std::size_t i = 1, left = 0, right = 0; i < end; ++i) {
    std::size_t length = i < right ? std::min<std::size_t>(right - i, common[i - left]) : 0;
    while (i + length < end && at(length) == at(i + length)) ++length;
    if (i + length > right) left = i, right = i + length;
    common[i] = static_cast<std::uint32_t>(length);
  }
  return common;
}

// Those around the middle of the step; none where they are too few to be worth a look.
Rounds rounds_of(const Calls& calls) {
  constexpr std::size_t kLeast = 4;
  const std::size_t middle = calls.size() / 2;
  const std::vector<std::uint32_t> common = common_before(calls, middle);
  Rounds rounds;
  std::size_t longest = 0;
  for (std::size_t i = 1; i < middle; ++i)
    if (common[i] >= i && i + common[i] > longest) longest = i + common[i], rounds.period = i;
  if (rounds.period == 0) return {};
  rounds.begin = middle - longest, rounds.end = middle;
  while (rounds.end < calls.size() && calls[rounds.end] == calls[rounds.end - rounds.period]) ++rounds.end;
  return rounds.end - rounds.begin >= kLeast * rounds.period ? rounds : Rounds{};
}

template <class Allocator>
class Replay {
 public:
  Replay(const Calls& calls, Bytes capacity)
      : calls_(calls),
        rounds_(rounds_of(calls)),
        allocator_(capacity.value),
        block_(calls.size()),
        released_at_(calls.size()) {
    for (std::size_t i = 0; i < calls.size(); ++i)
      if (calls[i] < 0) released_at_[allocation(i)] = i;
  }

  Reserved run(const program::MemoryByClass& resident) {
    for (const std::int64_t bytes : resident)
      if (bytes > 0) allocator_.allocate(bytes);
    for (int step = 0; step < kMostSteps; ++step) {
      const std::int64_t before = allocator_.most_reserved();
      play();
      if (allocator_.most_reserved() == before) break;
    }
    return {allocator_.most_reserved(), allocator_.retries()};
  }

 private:
  struct Held {
    std::size_t age;  // calls since it was allocated
    typename Allocator::Place place;
    friend bool operator==(const Held&, const Held&) = default;
  };
  static constexpr std::size_t kMarks = 4;  // each is a look at all calls so far
  struct Mark {
    std::size_t at;
    std::int64_t taken;
    std::vector<typename Allocator::Place> held;
  };
  struct State {
    std::size_t at = 0;
    std::int64_t taken = -1;
    std::uint64_t places = 0;
    std::vector<Held> held;
  };

  std::size_t allocation(std::size_t release) const {
    return static_cast<std::size_t>(static_cast<std::int64_t>(release) + calls_[release]);
  }

  void play() {
    std::size_t look = rounds_.period == 0 ? calls_.size() : rounds_.begin + rounds_.period;
    seen_ = {};
    std::vector<Mark> marks;
    const std::size_t apart = calls_.size() / kMarks + 1;
    std::size_t mark = apart;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if (i == mark) {
        if (stands_as_before(i)) return;
        marks.push_back(mark_at(i));
        mark += apart;
      }
      if (i == look) {
        const std::size_t on = behind_rounds(i);
        look = on > i || on + rounds_.period > rounds_.end ? calls_.size() : i + rounds_.period;
        i = on;
        mark = (i / apart + 1) * apart;
        if (i == calls_.size()) break;
      }
      make(i);
    }
    marks_ = std::move(marks);
  }

  // Visits the places of the blocks that are held at call `i`, by call, until one is not wanted.
  template <class Visit>
  void each_held(std::size_t i, const Visit& wanted) const {
    for (std::size_t j = 0; j < i; ++j)
      if (calls_[j] > 0 && released_at_[j] >= i && !wanted(allocator_.place(block_[j]))) return;
  }

  Mark mark_at(std::size_t i) const {
    Mark mark{i, allocator_.taken(), {}};
    each_held(i, [&](const typename Allocator::Place& place) {
      mark.held.push_back(place);
      return true;
    });
    return mark;
  }

  // While no segment is taken the blocks that are held say all of an allocator.
  bool stands_as_before(std::size_t i) const {
    const auto before = std::find_if(marks_.begin(), marks_.end(), [&](const Mark& m) { return m.at == i; });
    if (before == marks_.end() || before->taken != allocator_.taken()) return false;
    std::size_t same = 0;  // at one call as many are held in each step
    each_held(i, [&](const typename Allocator::Place& place) { return place == before->held[same] && ++same > 0; });
    return same == before->held.size();
  }

  void make(std::size_t i) {
    if (calls_[i] > 0) {
      block_[i] = allocator_.allocate(calls_[i]);
      if (rounds_.period != 0) places_ += sign_of(block_[i]);
      return;
    }
    const typename Allocator::BlockId block = block_[allocation(i)];
    if (rounds_.period != 0) places_ -= sign_of(block);
    allocator_.release(block);
  }

  std::uint64_t sign_of(typename Allocator::BlockId block) const {
    const typename Allocator::Place place = allocator_.place(block);
    return mix64(static_cast<std::uint64_t>(place.address) * 3 + static_cast<std::uint64_t>(place.size));
  }

  // What is held at call `i` and was allocated or will be released in the rounds: [call].
  std::vector<std::size_t> held_at(std::size_t i) const {
    std::vector<std::size_t> held;
    for (std::size_t j = 0; j < i; ++j)
      if (calls_[j] > 0 && released_at_[j] >= i && (j >= rounds_.begin || released_at_[j] < rounds_.end))
        held.push_back(j);
    return held;
  }

  std::vector<Held> places_of(const std::vector<std::size_t>& held, std::size_t i) const {
    std::vector<Held> places;
    for (const std::size_t j : held) places.push_back({i - j, allocator_.place(block_[j])});
    return places;
  }

  // At the beginning of a round, call `i`: where to go on. States are kept at powers of two (Brent), so that one is
  // found that comes back after several rounds.
  std::size_t behind_rounds(std::size_t i) {
    const bool maybe = seen_.taken == allocator_.taken() && seen_.places == places_;
    const std::size_t round = (i - rounds_.begin) / rounds_.period;
    if (!maybe && !std::has_single_bit(round)) return i;
    const std::vector<std::size_t> held = held_at(i);
    State now{i, allocator_.taken(), places_, places_of(held, i)};
    if (maybe && now.held == seen_.held) {
      const std::size_t cycle = i - seen_.at, gone = (rounds_.end - i) / cycle * cycle;
      for (std::size_t k = held.size(); k-- > 0;) block_[held[k] + gone] = block_[held[k]];
      return i + gone;
    }
    if (std::has_single_bit(round)) seen_ = std::move(now);
    return i;
  }

  const Calls& calls_;
  const Rounds rounds_;
  Allocator allocator_;
  std::vector<typename Allocator::BlockId> block_;  // [call] of those that allocate
  std::vector<std::size_t> released_at_;            // [call] of those that allocate
  std::uint64_t places_ = 0;                        // changes with the places of the blocks that are held
  State seen_;
  std::vector<Mark> marks_;  // of the step before
};

}  // namespace

Reserved reserved_by_allocator(const program::MemoryByClass& resident, const std::vector<Change>& changes,
                               std::size_t tensors, Bytes capacity, Segments segments) {
  const Calls calls = CallsMaker(changes, tensors).make();
  if (segments == Segments::expandable) return Replay<ExpandableAllocator>(calls, capacity).run(resident);
  return Replay<CachingAllocator>(calls, capacity).run(resident);
}

}  // namespace orrery::engine
