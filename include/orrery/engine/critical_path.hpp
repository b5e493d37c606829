// The critical path of the last step: from the task it ends with, back through the last predecessor of each.
#pragma once
#include "orrery/engine/account.hpp"

namespace orrery::engine {

struct CriticalPath {
  Breakdown of{};                      // ps by category of what runs at each instant; sums to the step time, no bubble
  std::int64_t step_overhead = 0;      // of host: before the first launch of the step
  std::int64_t blocking_launches = 0;  // of host: the device stands still for them
};
// A task of the path; it runs there in [begin, end).
struct PathTask {
  program::TaskId task = program::kNone;
  std::int64_t begin = 0, end = 0;
};
// From the beginning of the step to its end, without a gap but where the step begins before its first task.
std::vector<PathTask> critical_chain(const program::Program& program, const Timeline& timeline);

// Of the path what is done at each instant, as the split of time says it: where the path leads over a call beside
// compute, that is compute.
struct PathStretch {
  std::int64_t begin = 0, end = 0;  // ps
  program::Category category = program::Category::compute;
  program::TaskId task = program::kNone;  // of the path
};
std::vector<PathStretch> critical_stretches(const program::Program& program, const Timeline& timeline);

// How much later each task could end without the last one ending later, all others taking as long as they did.
std::vector<std::int64_t> slack_of(const program::Program& program, const Timeline& timeline);

// Of predecessors that end together the path takes the one whose category comes first.
CriticalPath critical_path(const program::Program& program, const Timeline& timeline);

}  // namespace orrery::engine
