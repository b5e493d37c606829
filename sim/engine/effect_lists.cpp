#include "effect_lists.hpp"

#include <algorithm>
#include <span>
#include <tuple>

#include "changes.hpp"
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

namespace {

// Visits those of a participant in the order of time.
template <class Visit>
void each_effect(const Program& program, const TaskTemplate& task, std::uint32_t participant, const Visit& visit) {
  const auto earlier = [](const MemoryEffect& a, const MemoryEffect& b) {
    return a.at_end != b.at_end ? b.at_end : a.offset < b.offset;
  };
  std::span<const MemoryEffect> effects(program.effects.data() + task.effects.first, task.effects.count);
  std::vector<MemoryEffect> sorted;
  if (!std::is_sorted(effects.begin(), effects.end(), earlier)) {
    sorted.assign(effects.begin(), effects.end());
    std::stable_sort(sorted.begin(), sorted.end(), earlier);
    effects = sorted;
  }
  for (const MemoryEffect& e : effects)
    if (e.bytes != 0 && (e.participant == kNone || e.participant == participant)) visit(e);
}

}  // namespace

EffectList EffectLists::make(const TaskTemplate& task, std::uint32_t participant) const {
  EffectList list;
  list.instants.reserve(task.effects.count);
  each_effect(program_, task, participant, [&](const MemoryEffect& e) {
    const EffectList::Instant before = list.instants.empty() ? EffectList::Instant{} : list.instants.back();
    if (list.instants.empty() || before.offset != e.offset.value || before.from_end != e.at_end)
      list.instants.push_back({e.offset.value, e.at_end, before.calls, before.sum});
    EffectList::Instant& at = list.instants.back();
    at.sum = checked_add(at.sum, e.bytes);
    ++at.calls;
  });
  for (std::size_t i = 1; i + 1 < list.instants.size(); ++i)
    list.highest = i == 1 ? list.instants[i].sum : std::max(list.highest, list.instants[i].sum);
  return list;
}

void EffectLists::make_calls(const std::vector<PlacedList>& lists) {
  for (const PlacedList& p : lists)
    if (p.list->calls.empty()) make_calls(program_.templates[p.of], p.participant, find(p.of, p.participant));
}

void EffectLists::make_calls(const TaskTemplate& task, std::uint32_t participant, EffectList& list) {
  list.calls.reserve(list.instants.back().calls);
  each_effect(program_, task, participant, [&](const MemoryEffect& e) {
    const std::uint32_t tensor = known_.tensors.of({e.memory_class, e.bytes < 0 ? -e.bytes : e.bytes});
    if (tensor >= local_.size()) local_.resize(tensor + 1, kNone);
    if (local_[tensor] == kNone) {
      local_[tensor] = static_cast<std::uint32_t>(list.tensors.size());
      list.tensors.push_back(tensor);
    }
    list.calls.push_back({local_[tensor] & EffectList::kMostTensors, e.bytes > 0, e.backward});
  });
  for (const std::uint32_t tensor : list.tensors) local_[tensor] = kNone;
  sort_instants(list);
  Words words((list.calls.size() + 1) / 2, 0);
  for (std::size_t c = 0; c < list.calls.size(); ++c) {
    const EffectList::Call call = list.calls[c];
    const std::uint32_t word = call.tensor << 2 | std::uint32_t{call.allocates} << 1 | std::uint32_t{call.backward};
    words[c / 2] |= static_cast<std::int64_t>(std::uint64_t{word} << (c % 2 * 32));
  }
  words.insert(words.end(), list.tensors.begin(), list.tensors.end());
  words.push_back(static_cast<std::int64_t>(list.calls.size()));
  list.number = known_.numbers.of(words);
}

void EffectLists::sort_instants(EffectList& list) const {
  const auto key = [&](const EffectList::Call& call) {
    return std::tuple(bool{call.allocates}, known_.tensors[list.tensors[call.tensor]], bool{call.backward});
  };
  auto from = list.calls.begin();
  for (const EffectList::Instant& at : list.instants) {
    const auto to = list.calls.begin() + at.calls;
    if (to - from > 1)
      std::sort(from, to, [&](const EffectList::Call& a, const EffectList::Call& b) { return key(a) < key(b); });
    for (; from != to; ++from)
      list.halves_meet =
          list.halves_meet || (from + 1 != to && from->tensor == from[1].tensor &&
                               from->allocates == from[1].allocates && !from->backward && from[1].backward);
  }
}

EffectList& EffectLists::find(TemplateId id, std::uint32_t participant) {
  const TaskTemplate& task = program_.templates[id];
  if (task.same_effects != 0) {
    auto& of_blocks = known_.of_blocks;
    const auto known = of_blocks.find(task.same_effects);
    return known != of_blocks.end() ? known->second : of_blocks.emplace(task.same_effects, make(task, 0)).first->second;
  }
  std::vector<EffectList>& of_template = lists_[id];
  if (of_template.empty()) {
    const auto* effects = program_.effects.data() + task.effects.first;
    std::uint32_t lists = 1;  // the last for all that are not named
    for (const auto* e = effects; e != effects + task.effects.count; ++e)
      if (e->participant != kNone) lists = std::max(lists, e->participant + 2);
    for (std::uint32_t of = 0; of < lists; ++of) of_template.push_back(make(task, of));
  }
  return of_template[std::min<std::size_t>(participant, of_template.size() - 1)];
}

std::vector<PlacedList> lists_on(const Program& program, const Timeline& timeline, const ByDevice& by,
                                 DeviceIndex device, EffectLists& lists) {
  std::vector<PlacedList> on;
  for (std::uint32_t i = by.begin[device]; i < by.begin[device + 1]; ++i) {
    const auto [task, participant] = by.items[i];
    if (program.template_of(task).effects.count == 0) continue;
    const EffectList& list = lists.of(program.task_template[task], participant);
    if (list.instants.empty()) continue;
    const OperationId operation = program.participant(task, participant).operation;
    on.push_back({&list,
                  Within(program, timeline, task),
                  timeline.end[task],
                  {owner_of(program, operation, false), owner_of(program, operation, true)},
                  program.task_template[task],
                  participant});
  }
  sort_runs(on, [](const PlacedList& a, const PlacedList& b) {
    const auto key = [](const PlacedList& p) {
      return std::tuple(p.first(), p.last(), p.owners[0], p.owners[1], p.of);
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

}  // namespace orrery::engine
