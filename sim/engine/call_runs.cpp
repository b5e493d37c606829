#include "call_runs.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "orrery/core/error.hpp"

namespace orrery::engine {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// Instants [next, end) of a list, in the order of time.
struct Stream {
  const PlacedList* placed;
  std::size_t next, end;
  std::int64_t time() const { return placed->time(placed->list->instants[next]); }
};

// Where a list has instants after its start and others from its end, which of them are first the timeline alone says.
std::vector<Stream> streams_of(const std::vector<PlacedList>& lists) {
  std::vector<Stream> streams;
  streams.reserve(lists.size());
  bool sorted = true;
  for (const PlacedList& p : lists) {
    const auto& instants = p.list->instants;
    std::size_t from_end = instants.size();
    while (from_end > 0 && instants[from_end - 1].from_end) --from_end;
    const bool apart =
        from_end > 0 && from_end < instants.size() && p.time(instants[from_end - 1]) >= p.time(instants[from_end]);
    streams.push_back({&p, 0, apart ? from_end : instants.size()});
    if (apart) streams.push_back({&p, from_end, instants.size()});
    sorted = sorted && !apart;
  }
  const auto earlier = [](const Stream& a, const Stream& b) { return a.time() < b.time(); };
  if (!sorted) std::stable_sort(streams.begin(), streams.end(), earlier);
  return streams;
}

class RunsMaker {
 public:
  RunsMaker(const std::vector<PlacedList>& lists, const TensorKinds& tensors)
      : streams_(streams_of(lists)), tensors_(tensors) {}

  std::vector<CallRun> make() {
    runs_.reserve(2 * streams_.size());
    while (coming_ < streams_.size() || !open_.empty()) {
      std::int64_t now = kNever;
      for (const Stream& s : open_) now = std::min(now, s.time());
      while (coming_ < streams_.size() && streams_[coming_].time() <= now) {
        now = streams_[coming_].time();
        open_.push_back(streams_[coming_++]);
      }
      advance(now);
      std::erase_if(open_, [](const Stream& s) { return s.next == s.end; });
    }
    return std::move(runs_);
  }

 private:
  // What happens from `now` on, until lists meet or others go on.
  void advance(std::int64_t now) {
    Stream* only = nullptr;
    std::int64_t until = coming_ < streams_.size() ? streams_[coming_].time() : kNever;
    std::size_t meet = 0;
    for (Stream& s : open_) {
      const std::int64_t time = s.time();
      if (time != now) {
        until = std::min(until, time);
        continue;
      }
      ++meet;
      only = &s;
    }
    check(only != nullptr, "RunsMaker: nothing happens at an instant");
    if (meet > 1 || (only->placed->list->halves_meet && only->placed->owners[0] > only->placed->owners[1]))
      return sorted_instant(now);
    const auto& instants = only->placed->list->instants;
    const auto from = instants.begin() + static_cast<std::ptrdiff_t>(only->next);
    const auto to = std::partition_point(from + 1, instants.begin() + static_cast<std::ptrdiff_t>(only->end),
                                         [&](const EffectList::Instant& at) { return only->placed->time(at) < until; });
    add(*only->placed, calls_before(*only), std::prev(to)->calls);
    only->next = static_cast<std::size_t>(to - instants.begin());
  }

  static std::uint32_t calls_before(const Stream& s) {
    return s.next == 0 ? 0 : s.placed->list->instants[s.next - 1].calls;
  }

  void sorted_instant(std::int64_t now) {
    meeting_.clear();
    for (Stream& s : open_) {
      if (s.time() != now) continue;
      const EffectList& list = *s.placed->list;
      for (std::uint32_t c = calls_before(s); c < list.instants[s.next].calls; ++c) meeting_.push_back({s.placed, c});
      ++s.next;
    }
    std::sort(meeting_.begin(), meeting_.end(), [&](const Meeting& a, const Meeting& b) { return key(a) < key(b); });
    for (const Meeting& m : meeting_) add(*m.placed, m.call, m.call + 1);
  }

  struct Meeting {
    const PlacedList* placed;
    std::uint32_t call;
  };
  std::tuple<bool, TensorKind, std::int64_t, const PlacedList*> key(const Meeting& m) const {
    const EffectList::Call& call = m.placed->list->calls[m.call];
    return {call.allocates, tensors_[m.placed->list->tensors[call.tensor]], m.placed->owners[call.backward ? 1 : 0],
            m.placed};
  }

  void add(const PlacedList& placed, std::uint32_t first, std::uint32_t last) {
    if (last_ == &placed && runs_.back().last == first) {
      runs_.back().last = last;
      return;
    }
    last_ = &placed;
    runs_.push_back({placed.list, first, last, {placed.owners[0], placed.owners[1]}});
  }

  const std::vector<Stream> streams_;
  const TensorKinds& tensors_;
  std::size_t coming_ = 0;
  std::vector<Stream> open_;  // that have begun and not ended
  std::vector<Meeting> meeting_;
  std::vector<CallRun> runs_;
  const PlacedList* last_ = nullptr;  // of the last run
};

}  // namespace

std::vector<CallRun> call_runs(const std::vector<PlacedList>& lists, const TensorKinds& tensors) {
  return RunsMaker(lists, tensors).make();
}

OwnerNumbers::OwnerNumbers(const std::vector<CallRun>& runs) {
  std::unordered_map<std::int64_t, std::uint32_t> numbers;
  of_run.reserve(runs.size());
  const auto number_of = [&](std::int64_t owner) {
    return numbers.try_emplace(owner, static_cast<std::uint32_t>(numbers.size())).first->second;
  };
  for (const CallRun& run : runs) {
    const std::uint32_t first = number_of(run.owners[0]);
    of_run.push_back({first, run.owners[1] == run.owners[0] ? first : number_of(run.owners[1])});
  }
  count = static_cast<std::uint32_t>(numbers.size());
}

Words words_of(const std::vector<CallRun>& runs, const OwnerNumbers& owners) {
  Words words;
  words.reserve(3 * runs.size());
  const auto both = [](std::uint32_t high, std::uint32_t low) {
    return static_cast<std::int64_t>(std::uint64_t{high} << 32 | low);
  };
  for (std::size_t i = 0; i < runs.size(); ++i) {
    words.push_back(runs[i].list->number);
    words.push_back(both(runs[i].first, runs[i].last));
    words.push_back(both(owners.of_run[i][0], owners.of_run[i][1]));
  }
  return words;
}

}  // namespace orrery::engine
