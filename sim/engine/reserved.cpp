// Reserved memory: the memory effects of a device, in the order of the timeline, as calls of PyTorch's caching
// allocator.
//
// The effects of the passes are those of single tensors. A free is that of the last tensor of its size and class which
// the same micro-batch made in the same stage, else of the oldest such tensor. What stays for the whole run is taken as
// one block a class, made before the first step: frameworks make weights, flat gradient buffers and optimizer states
// once, in segments that nothing else shares. The host is taken to make its calls in the order in which the device runs
// the kernels. A step starts with what the one before left in the cache; after a few the segments no longer change.
//
// While no segment is taken, the blocks that are held say all of an allocator, and with whose they are, all that comes
// of the calls that follow. So where a step comes to hold what it held before at some run of calls, and as many of the
// runs behind the two are alike as lie between two such places, the latter change nothing and are left out: rounds of a
// schedule, micro-batches one after the other, the rest of a step that stands as the one before it did.
#include "reserved.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <unordered_map>
#include <utility>

#include "held_tensors.hpp"
#include "orrery/core/random.hpp"
#include "orrery/engine/allocator.hpp"
#include "orrery/engine/expandable.hpp"

namespace orrery::engine {
namespace {

constexpr int kMostSteps = 4;

template <class Allocator>
class Replay {
 public:
  Replay(const std::vector<CallRun>& runs, const OwnerNumbers& owners, KnownEffects& effects, Bytes capacity)
      : runs_(runs), owners_(owners), held_(owners.count, capacity), allocator_(held_.allocator()) {
    std::unordered_map<std::int64_t, std::uint32_t> of_list;     // index of lists_, by EffectList::number
    std::unordered_map<std::uint32_t, std::uint32_t> of_tensor;  // kinds of held_
    std::size_t calls = 0;
    for (const CallRun& run : runs) {
      const auto [at, fresh] = of_list.try_emplace(run.list->number, static_cast<std::uint32_t>(lists_.size()));
      list_of_run_.push_back(at->second);
      calls += run.last - run.first;
      if (!fresh) continue;
      lists_.push_back({&windows_of(*run.list, effects), {}});
      for (const std::uint32_t tensor : run.list->tensors) {
        const auto [kind, unknown] = of_tensor.try_emplace(tensor, static_cast<std::uint32_t>(of_tensor.size()));
        if (unknown) held_.add_kind(effects.tensors[tensor].bytes);
        lists_.back().kinds.push_back(kind->second);
      }
    }
    held_.reserve(calls);
    slots_.resize(std::bit_ceil(4 * runs.size() + 1));
  }

  Reserved run(const program::MemoryByClass& resident) {
    for (const std::int64_t bytes : resident)
      if (bytes > 0) allocator_.allocate(bytes);
    for (step_ = 0; step_ < kMostSteps; ++step_) {
      const std::int64_t before = allocator_.most_reserved();
      play_step();
      if (allocator_.most_reserved() == before) break;
    }
    return {allocator_.most_reserved(), allocator_.retries()};
  }

 private:
  struct List {
    const CallWindows* windows;
    std::vector<std::uint32_t> kinds;  // [EffectList::tensors] kinds of held_
  };
  // What is held before a run.
  struct Stand {
    std::uint64_t key, places;
    std::uint32_t run, calls;
    int step;
  };

  static const CallWindows& windows_of(const EffectList& list, KnownEffects& effects) {
    const auto known = effects.windows.find(list.number);
    if (known != effects.windows.end()) return known->second;
    return effects.windows.emplace(list.number, CallWindows(list, effects.tensors)).first->second;
  }

  void play_step() {
    for (std::uint32_t i = 0; i < runs_.size(); ++i) {
      if (held_.owed() == 0)
        if (const std::optional<std::uint32_t> on = behind_known(i)) {
          if (*on == i) break;
          i = *on;
          if (i == runs_.size()) break;
        }
      play(i);
    }
    held_.let_go(!stands_.empty());
  }

  void play(std::uint32_t i) {
    const CallRun& run = runs_[i];
    const CallWindows& windows = *lists_[list_of_run_[i]].windows;
    const std::int64_t taken = allocator_.taken();
    const std::vector<CallWindows::Window>& all = windows.all();
    const auto begin =
        std::lower_bound(all.begin(), all.end(), run.first,
                         [](const CallWindows::Window& w, std::uint32_t first) { return w.first < first; });
    std::uint32_t c = run.first;
    for (auto w = static_cast<std::size_t>(begin - all.begin()); w < all.size() && all[w].first < run.last;) {
      make(i, c, all[w].first);
      c = all[w].first;
      if (all[w].last <= run.last && changes_nothing(windows, all[w])) {
        c = all[w].last;
        w = all[w].behind;
      } else {
        ++w;
      }
    }
    make(i, c, run.last);
    if (allocator_.taken() != taken) stands_.clear();
  }

  bool changes_nothing(const CallWindows& windows, const CallWindows::Window& window) const {
    return held_.owed() == 0 && std::ranges::all_of(windows.needs(window), [&](const FreeNeed& need) {
             return allocator_.has_free(need.bytes, need.blocks);
           });
  }

  void make(std::uint32_t i, std::uint32_t first, std::uint32_t last) {
    const std::array<std::uint32_t, 2> owners = owners_.of_run[i];
    const EffectList& list = *runs_[i].list;
    const std::uint32_t* kinds = lists_[list_of_run_[i]].kinds.data();
    for (std::uint32_t c = first; c < last; ++c) {
      const EffectList::Call call = list.calls[c];
      call.allocates ? held_.allocate(kinds[call.tensor], owners[call.backward])
                     : held_.free(kinds[call.tensor], owners[call.backward]);
    }
  }

  // Where to go on from run `i`, if not there: `i` itself where all the rest of the step is known.
  std::optional<std::uint32_t> behind_known(std::uint32_t i) {
    if (failures_ == kMostFailures) return {};
    const std::uint64_t key =
        held_.places() + mix64(static_cast<std::uint64_t>(runs_[i].list->number) * 3 + runs_[i].first);
    const auto now = static_cast<std::uint32_t>(stands_.size());
    stands_.push_back({key, held_.places(), i, held_.calls(), step_});
    std::uint32_t& slot = slots_[mix64(key) & (slots_.size() - 1)];
    const std::uint32_t before = std::exchange(slot, now);
    if (before >= now || stands_[before].key != key) return {};
    const std::optional<std::uint32_t> on = behind_alike(before, now);
    if (on) {
      if (!stands_.empty()) slot = before;
    } else {
      ++failures_;
    }
    return on;
  }

  template <class NewOwner>
  void give_to(const std::vector<std::uint32_t>& held, const NewOwner& new_owner) {
    if (held_.give_to(held, new_owner)) stands_.clear();
  }

  // By their lists first, which is little to look at; then by what is held, and whose.
  std::optional<std::uint32_t> behind_alike(std::uint32_t before, std::uint32_t now) {
    const Stand a = stands_[before], b = stands_[now];
    const bool rest = a.run == b.run;  // in the step before
    const std::uint32_t alike = rest ? 0 : lists_alike(a.run, b.run);
    const std::uint32_t end = rest ? now : last_such(before, now, alike);
    if (end == before) return {};
    const std::vector<std::uint32_t> held = held_.at(b.calls);
    SameOwners owners(owners_.count), there(owners_.count);
    if (!held_.same(held_.at(a.calls), held, owners)) return {};
    if (rest && same_owners(a.run, b.run, static_cast<std::uint32_t>(runs_.size()) - b.run, owners)) return b.run;
    if (rest) return {};
    if (end == now) {
      const std::uint32_t round = b.run - a.run, rounds = alike / round;
      if (!same_owners(a.run, b.run, rounds * round, owners)) return {};
      give_to(held, [&](std::uint32_t owner) {
        for (std::uint32_t r = 0; r < rounds; ++r) owner = owners.of(owner);
        return owner;
      });
      return b.run + rounds * round;
    }
    const std::uint32_t length = stands_[end].run - a.run;
    if (!same_owners(a.run, b.run, length, owners) || !held_.same(held, held_.at(stands_[end].calls), there)) return {};
    give_to(held, [&](std::uint32_t owner) { return owners.of(there.of(owner)); });
    return b.run + length;
  }

  // Of what stood like `before`, the last from which no more than `alike` runs lie between; `before` if there is none.
  std::uint32_t last_such(std::uint32_t before, std::uint32_t now, std::uint32_t alike) const {
    const Stand& a = stands_[before];
    for (std::uint32_t e = now; e > before; --e)
      if (stands_[e].places == a.places && stands_[e].step == a.step && stands_[e].run <= a.run + alike) return e;
    return before;
  }

  // How many runs from `a` on have the calls of those from `b` on.
  std::uint32_t lists_alike(std::uint32_t a, std::uint32_t b) const {
    std::uint32_t alike = 0;
    for (; std::max(a, b) + alike < runs_.size(); ++alike) {
      const CallRun &x = runs_[a + alike], &y = runs_[b + alike];
      if (x.list->number != y.list->number || x.first != y.first || x.last != y.last) break;
    }
    return alike;
  }

  bool same_owners(std::uint32_t a, std::uint32_t b, std::uint32_t count, SameOwners& owners) const {
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto &of_x = owners_.of_run[a + i], &of_y = owners_.of_run[b + i];
      if (!owners.tell(of_x[0], of_y[0]) || !owners.tell(of_x[1], of_y[1])) return false;
    }
    return true;
  }

  static constexpr int kMostFailures = 8;

  const std::vector<CallRun>& runs_;
  const OwnerNumbers& owners_;
  std::vector<List> lists_;
  std::vector<std::uint32_t> list_of_run_;
  HeldTensors<Allocator> held_;
  Allocator& allocator_;
  int step_ = 0, failures_ = 0;
  std::vector<Stand> stands_;         // since a segment was taken
  std::vector<std::uint32_t> slots_;  // by a hash of the key, of stands_ the one kept: which may be one that is no more
};

}  // namespace

Reserved reserved_by_allocator(const program::MemoryByClass& resident, const std::vector<CallRun>& runs,
                               const OwnerNumbers& owners, KnownEffects& effects, Bytes capacity, Segments segments) {
  if (segments == Segments::expandable)
    return Replay<ExpandableAllocator>(runs, owners, effects, capacity).run(resident);
  return Replay<CachingAllocator>(runs, owners, effects, capacity).run(resident);
}

Reserved KnownReserved::of(const program::MemoryByClass& resident, const std::vector<CallRun>& runs,
                           KnownEffects& effects, Bytes capacity, Segments segments) {
  const OwnerNumbers owners(runs);
  Words key = words_of(runs, owners);
  key.insert(key.end(), {capacity.value, static_cast<std::int64_t>(segments)});
  key.insert(key.end(), resident.begin(), resident.end());
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  const Reserved reserved = reserved_by_allocator(resident, runs, owners, effects, capacity, segments);
  ++count_;
  words_ += key.size();
  known_.emplace(std::move(key), reserved);
  return reserved;
}

}  // namespace orrery::engine
