// The memory effects of a task on one of its participants as a list in the order of time, and those of a device: what
// is allocated is told by where lists begin and end and the highest of each, without their effects.
#pragma once
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "orrery/core/hash.hpp"
#include "orrery/engine/engine.hpp"
#include "participation.hpp"

namespace orrery::engine {

using Words = std::vector<std::int64_t>;
struct HashOfWords {
  std::size_t operator()(const Words& words) const;
};

// Equal lists have one number.
class ListNumbers {
 public:
  std::int64_t of(const Words& list) {
    return numbers_.try_emplace(list, static_cast<std::int64_t>(numbers_.size())).first->second;
  }
  std::size_t count() const { return numbers_.size(); }

 private:
  std::unordered_map<Words, std::int64_t, HashOfWords> numbers_;
};

// Instants at which something changes, the first and the last of them included; `sum`: what has changed up to there.
struct EffectList {
  struct Instant {
    std::int64_t offset = 0;  // from the start of the task, or from its end
    bool from_end = false;
    std::int64_t sum = 0;
  };
  // Its instants are told by their offsets: none of them is also the end of the task.
  bool followed() const { return instants.size() > 2 && !instants.back().from_end; }

  std::vector<Instant> instants;
  std::int64_t highest = 0;  // sum between the first and the last
  std::int64_t number = 0;   // of its effects and their order
};

// Those of templates that tell in which others the same effects are, kept from Program to Program.
using KnownLists = std::unordered_map<std::uint32_t, EffectList>;

class EffectLists {
 public:
  EffectLists(const program::Program& program, ListNumbers& numbers, KnownLists& known)
      : program_(program), numbers_(numbers), known_(known), lists_(program.templates.size()) {}
  // Of a participant of a task of this template; without instants where it has no effects.
  const EffectList& of(program::TemplateId id, std::uint32_t participant);

 private:
  EffectList make(const program::TaskTemplate& task, std::uint32_t participant) const;

  const program::Program& program_;
  ListNumbers& numbers_;
  KnownLists& known_;
  std::vector<std::vector<EffectList>> lists_;  // [template] of all participants, or of each
};

// A list on a device: when it begins and ends, and whose it is.
struct PlacedList {
  const EffectList* list;
  std::int64_t start, end;  // of the task
  std::int64_t owners[2];   // as changes.hpp has them: of the forward, of the backward half
  std::int64_t time(const EffectList::Instant& at) const { return (at.from_end ? end : start) + at.offset; }
  std::int64_t first() const { return time(list->instants.front()); }
  std::int64_t last() const { return time(list->instants.back()); }
};
std::vector<PlacedList> lists_on(const program::Program& program, const Timeline& timeline, const ByDevice& by,
                                 program::DeviceIndex device, EffectLists& lists);

// The most bytes allocated, of which `resident` are there from the first to the last.
std::int64_t peak_of(std::int64_t resident, const std::vector<PlacedList>& lists);
// Words that are equal where the changes of two devices are the same in the same order, whatever the times. Empty where
// the order is not told by that of the lists (two of several instants run at once).
Words order_of(const std::vector<PlacedList>& lists);

}  // namespace orrery::engine
