// The calls of a device's allocator in the order of the timeline, as runs of calls of its effect lists. At one instant
// frees come first, and the order of the rest is that of their contents, so that it does not depend on how the step is
// cut into tasks.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "effect_lists.hpp"

namespace orrery::engine {

// Calls [first, last) of a list.
struct CallRun {
  const EffectList* list;
  std::uint32_t first, last;
  std::int64_t owners[2];  // as PlacedList::owners
};
// `lists` as lists_on() sorts them, with their calls made.
std::vector<CallRun> call_runs(const std::vector<PlacedList>& lists, const TensorKinds& tensors);

// Numbers the owners of the runs, [run][half], in the order in which they come.
struct OwnerNumbers {
  explicit OwnerNumbers(const std::vector<CallRun>& runs);
  std::vector<std::array<std::uint32_t, 2>> of_run;
  std::uint32_t count = 0;
};

// Words that are equal where the calls are, whatever the times and whoever the owners.
Words words_of(const std::vector<CallRun>& runs, const OwnerNumbers& owners);

}  // namespace orrery::engine
