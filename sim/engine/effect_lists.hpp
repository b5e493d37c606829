// The memory effects of a task on one of its participants as a list in the order of time, and those of a device: what
// is allocated is told by where lists begin and end and the highest of each, without their effects.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "call_windows.hpp"
#include "orrery/core/hash.hpp"
#include "orrery/core/random.hpp"
#include "orrery/engine/within.hpp"
#include "participation.hpp"

namespace orrery::engine {

using Words = std::vector<std::int64_t>;
struct HashOfWords {
  std::size_t operator()(const Words& words) const;
};

// Tensors of one class and size may stand for each other: they have one number, by which each list's calls name them.
struct TensorKind {
  program::MemoryClass memory_class;
  std::int64_t bytes;
  friend auto operator<=>(const TensorKind&, const TensorKind&) = default;
};
class TensorKinds {
 public:
  std::uint32_t of(const TensorKind& kind) {
    Found& found = found_[HashOfKind()(kind) % found_.size()];
    if (found.kind != kind) found = {kind, number_of(kind)};
    return found.number;
  }
  const TensorKind& operator[](std::uint32_t number) const { return kinds_[number]; }
  std::size_t count() const { return kinds_.size(); }

 private:
  struct HashOfKind {
    std::size_t operator()(const TensorKind& kind) const {
      return static_cast<std::size_t>(mix64(static_cast<std::uint64_t>(kind.bytes)) +
                                      static_cast<std::uint64_t>(kind.memory_class));
    }
  };
  struct Found {
    TensorKind kind{};
    std::uint32_t number = 0;
  };
  std::uint32_t number_of(const TensorKind& kind) {
    const auto [at, fresh] = numbers_.try_emplace(kind, static_cast<std::uint32_t>(kinds_.size()));
    if (fresh) kinds_.push_back(kind);
    return at->second;
  }

  std::vector<TensorKind> kinds_;
  std::unordered_map<TensorKind, std::uint32_t, HashOfKind> numbers_;
  std::array<Found, 64> found_;  // most are asked for again and again; no tensor has 0 bytes
};

// Lists of equal calls have one number.
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
    std::uint32_t calls = 0;  // of the list, up to and with those of this instant
    std::int64_t sum = 0;
  };
  static constexpr std::uint32_t kMostTensors = (1U << 30) - 1;
  struct Call {
    std::uint32_t tensor : 30;  // index of `tensors`
    bool allocates : 1, backward : 1;
  };
  // Its instants are told by their offsets: none of them is also the end of the task.
  bool followed() const { return instants.size() > 2 && !instants.back().from_end; }

  std::vector<Instant> instants;
  std::int64_t highest = 0;  // sum between the first and the last

  // What follows is made for those who follow the allocator. At one instant frees come before allocations, each by
  // class and size, then by half (changes.hpp).
  std::vector<Call> calls;
  std::vector<std::uint32_t> tensors;  // numbers of the tensors that its calls name, each once
  std::int64_t number = 0;             // of its calls and their order
  bool halves_meet = false;            // at an instant both halves make, or free, tensors of one kind
};

// What is kept from Program to Program.
struct KnownEffects {
  TensorKinds tensors;
  ListNumbers numbers;
  std::unordered_map<std::int64_t, CallWindows> windows;    // by EffectList::number; of those that were replayed
  std::unordered_map<std::uint32_t, EffectList> of_blocks;  // by TaskTemplate::same_effects
};

// A list on a device: when it begins and ends, and whose it is.
struct PlacedList {
  const EffectList* list;
  Within inside;           // the task
  std::int64_t end;        // of it
  std::int64_t owners[2];  // as changes.hpp has them: of the forward, of the backward half
  program::TemplateId of;
  std::uint32_t participant;
  std::int64_t time(const EffectList::Instant& at) const {
    return at.from_end ? end + at.offset : inside.at(at.offset);
  }
  std::int64_t first() const { return time(list->instants.front()); }
  std::int64_t last() const { return time(list->instants.back()); }
};

class EffectLists {
 public:
  EffectLists(const program::Program& program, KnownEffects& known)
      : program_(program), known_(known), lists_(program.templates.size()) {}
  // Of a participant of a task of this template; without instants where it has no effects.
  const EffectList& of(program::TemplateId id, std::uint32_t participant) { return find(id, participant); }
  void make_calls(const std::vector<PlacedList>& lists);

 private:
  EffectList& find(program::TemplateId id, std::uint32_t participant);
  EffectList make(const program::TaskTemplate& task, std::uint32_t participant) const;
  void make_calls(const program::TaskTemplate& task, std::uint32_t participant, EffectList& list);
  void sort_instants(EffectList& list) const;

  const program::Program& program_;
  KnownEffects& known_;
  std::vector<std::vector<EffectList>> lists_;  // [template] of all participants, or of each
  std::vector<std::uint32_t> local_;            // [tensor] index in the list that is being made
};

std::vector<PlacedList> lists_on(const program::Program& program, const Timeline& timeline, const ByDevice& by,
                                 program::DeviceIndex device, EffectLists& lists);

// The most bytes allocated, of which `resident` are there from the first to the last.
std::int64_t peak_of(std::int64_t resident, const std::vector<PlacedList>& lists);

}  // namespace orrery::engine
