// The critical path summed by kind, and how far what is not on it is from it.
#pragma once
#include <string>
#include <vector>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

// Stretches of the path of one kind: "F" of stage 2, "send activation" from stage 1, "launch".
struct PathKind {
  std::string what;
  std::int32_t stage = -1;  // -1: of no stage
  program::Category category = program::Category::compute;
  std::int64_t time = 0;  // ps; all kinds sum to the step, less what lies before its first task
  std::int64_t stretches = 0;
};
std::vector<PathKind> path_kinds(const RunResult& run);  // most time first

// Operations of one kind and stage: how much later they could end without the step ending later.
struct SlackKind {
  std::string what;
  std::int32_t stage = -1;
  std::int64_t operations = 0, least = 0, most = 0;  // ps
  double mean = 0;
};
std::vector<SlackKind> slack_kinds(const RunResult& run);  // of the last step; by stage, then in the order of a step

}  // namespace orrery::report
