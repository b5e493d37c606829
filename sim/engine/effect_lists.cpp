#include "effect_lists.hpp"

#include <algorithm>
#include <tuple>

#include "changes.hpp"
#include "orrery/core/error.hpp"
#include "sort_runs.hpp"

namespace orrery::engine {

using namespace program;

std::size_t HashOfWords::operator()(const Words& words) const {
  constexpr std::size_t kLooked = 256;  // words are compared whole
  Hash hash;
  hash.add(words.size());
  const std::size_t step = std::max<std::size_t>(words.size() / kLooked, 1) | 1;
  for (std::size_t i = 0; i < words.size(); i += step) hash.add(words[i]);
  return static_cast<std::size_t>(hash.value());
}

EffectList EffectLists::make(const TaskTemplate& task, std::uint32_t participant) const {
  std::vector<MemoryEffect> effects;
  effects.reserve(task.effects.count);
  for (std::uint32_t e = task.effects.first; e < task.effects.first + task.effects.count; ++e) {
    const MemoryEffect& effect = program_.effects[e];
    if (effect.bytes != 0 && (effect.participant == kNone || effect.participant == participant))
      effects.push_back(effect);
  }
  const auto earlier = [](const MemoryEffect& a, const MemoryEffect& b) {
    return std::tie(a.at_end, a.offset) < std::tie(b.at_end, b.offset);
  };
  if (!std::is_sorted(effects.begin(), effects.end(), earlier))
    std::stable_sort(effects.begin(), effects.end(), earlier);
  EffectList list;
  Words words;
  words.reserve(2 * effects.size());
  for (const MemoryEffect& e : effects) {
    if (list.instants.empty() || list.instants.back().from_end != e.at_end ||
        list.instants.back().offset != e.offset.value)
      list.instants.push_back({e.offset.value, e.at_end, list.instants.empty() ? 0 : list.instants.back().sum});
    EffectList::Instant& at = list.instants.back();
    at.sum = checked_add(at.sum, e.bytes);
    words.push_back(static_cast<std::int64_t>(list.instants.size()) * 32 + (e.at_end ? 16 : 0) + (e.backward ? 8 : 0) +
                    static_cast<std::int64_t>(e.memory_class));
    words.push_back(e.bytes);
  }
  for (std::size_t i = 1; i + 1 < list.instants.size(); ++i)
    list.highest = i == 1 ? list.instants[i].sum : std::max(list.highest, list.instants[i].sum);
  list.number = numbers_.of(words);
  return list;
}

const EffectList& EffectLists::of(TemplateId id, std::uint32_t participant) {
  const TaskTemplate& task = program_.templates[id];
  if (task.same_effects != 0) {
    const auto known = known_.find(task.same_effects);
    return known != known_.end() ? known->second : known_.emplace(task.same_effects, make(task, 0)).first->second;
  }
  std::vector<EffectList>& of_template = lists_[id];
  if (of_template.empty()) {
    const auto* effects = program_.effects.data() + task.effects.first;
    std::uint32_t lists = 1;  // where none is named, one for all
    for (const auto* e = effects; e != effects + task.effects.count; ++e)
      if (e->participant != kNone) lists = std::max({lists, e->participant + 1, 2u});
    for (std::uint32_t of = 0; of < lists; ++of) of_template.push_back(make(task, of));
  }
  check(of_template.size() == 1 || participant < of_template.size(), "memory effects name none of a participant");
  return of_template[of_template.size() == 1 ? 0 : participant];
}

std::vector<PlacedList> lists_on(const Program& program, const Timeline& timeline, const ByDevice& by,
                                 DeviceIndex device, EffectLists& lists) {
  std::vector<PlacedList> on;
  for (std::uint32_t i = by.begin[device]; i < by.begin[device + 1]; ++i) {
    const auto [task, participant] = by.items[i];
    if (program.template_of(task).effects.count == 0) continue;
    const EffectList& list = lists.of(program.task_template[task], participant);
    if (list.instants.empty()) continue;
    const OperationId operation = program.participants[program.participant_begin[task] + participant].operation;
    on.push_back({&list,
                  timeline.start[task],
                  timeline.end[task],
                  {owner_of(program, operation, false), owner_of(program, operation, true)}});
  }
  sort_runs(on, [](const PlacedList& a, const PlacedList& b) {
    const auto key = [](const PlacedList& p) {
      return std::tuple(p.first(), p.last(), p.owners[0], p.owners[1], p.list->number);
    };
    return a.first() != b.first() ? a.first() < b.first() : key(a) < key(b);
  });
  return on;
}

namespace {

// A list of two instants is two changes; one of more is followed from its first to its last.
struct Border {
  std::int64_t time, bytes;
  const PlacedList* begins;  // or nullptr
};

std::vector<Border> changes_of(const std::vector<PlacedList>& lists) {
  std::vector<Border> changes;
  for (const PlacedList& p : lists) {
    if (p.list->followed()) {
      changes.push_back({p.first(), 0, &p});
      continue;
    }
    std::int64_t before = 0;
    for (const EffectList::Instant& at : p.list->instants) {
      changes.push_back({p.time(at), at.sum - before, nullptr});
      before = at.sum;
    }
  }
  sort_runs(changes, [](const Border& a, const Border& b) {
    return std::tie(a.time, a.bytes, a.begins) < std::tie(b.time, b.bytes, b.begins);
  });
  return changes;
}

class Held {
 public:
  explicit Held(std::int64_t resident) : closed_(resident), peak_(resident) {}

  // What happens before `time` in the lists that are followed.
  void advance(std::int64_t time) {
    if (open_.size() == 1 && open_[0].next == 1 && open_[0].placed->last() <= time) {
      const EffectList& list = *open_[0].placed->list;
      peak_ = std::max(peak_, checked_add(closed_, list.highest));
      open_[0].next = list.instants.size() - 1;
    }
    for (std::int64_t next = earliest(); next < time; next = earliest()) {
      step(next);
      look();
    }
  }
  void step(std::int64_t time) {
    for (Open& o : open_)
      while (!o.ended() && o.time() <= time) ++o.next;
    std::erase_if(open_, [&](const Open& o) {
      if (o.ended()) closed_ = checked_add(closed_, o.sum());
      return o.ended();
    });
  }
  void take(const Border& change) {
    closed_ = checked_add(closed_, change.bytes);
    if (change.begins != nullptr) open_.push_back({change.begins});
  }
  void look() {
    std::int64_t total = closed_;
    for (const Open& o : open_) total = checked_add(total, o.sum());
    peak_ = std::max(peak_, total);
  }
  std::int64_t peak() const { return peak_; }

 private:
  struct Open {
    const PlacedList* placed;
    std::size_t next = 0;  // instant
    bool ended() const { return next == placed->list->instants.size(); }
    std::int64_t time() const { return placed->time(placed->list->instants[next]); }
    std::int64_t sum() const { return next == 0 ? 0 : placed->list->instants[next - 1].sum; }
  };
  std::int64_t earliest() const {
    std::int64_t time = INT64_MAX;
    for (const Open& o : open_) time = std::min(time, o.time());
    return time;
  }

  std::int64_t closed_, peak_;
  std::vector<Open> open_;
};

}  // namespace

// Frees at an instant come before allocations at it: what counts is what is held once all of it has happened.
std::int64_t peak_of(std::int64_t resident, const std::vector<PlacedList>& lists) {
  const std::vector<Border> changes = changes_of(lists);
  Held held(resident);
  for (std::size_t i = 0; i < changes.size();) {
    const std::int64_t now = changes[i].time;
    held.advance(now);
    for (; i < changes.size() && changes[i].time == now; ++i) held.take(changes[i]);
    held.step(now);
    held.look();
  }
  held.advance(INT64_MAX);
  return held.peak();
}

namespace {

// The distinct times at which a list begins or ends.
Words borders_of(const std::vector<PlacedList>& lists) {
  Words times;
  for (const PlacedList& p : lists) times.insert(times.end(), {p.first(), p.last()});
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  return times;
}

}  // namespace

Words order_of(const std::vector<PlacedList>& lists) {
  const Words times = borders_of(lists);
  const auto at = [&](std::int64_t time) { return std::lower_bound(times.begin(), times.end(), time); };
  Words words{static_cast<std::int64_t>(lists.size())};
  words.reserve(lists.size() * 5 + 1);
  std::int64_t busy_until = INT64_MIN;  // the last of the lists with instants between their first and last
  for (const PlacedList& p : lists) {
    const auto first = at(p.first()), last = at(p.last());
    words.insert(words.end(), {p.list->number, first - times.begin(), last - times.begin(), p.owners[0], p.owners[1]});
    if (p.list->instants.size() <= 2) continue;
    if (p.first() < busy_until || !p.list->followed()) return {};
    busy_until = p.last();
    for (auto border = first + 1; border < last; ++border) {  // what begins or ends within: between which instants
      std::size_t i = 0;
      while (p.time(p.list->instants[i]) < *border) ++i;
      words.push_back(static_cast<std::int64_t>(2 * i) + (p.time(p.list->instants[i]) == *border ? 1 : 0));
    }
  }
  return words;
}

}  // namespace orrery::engine
