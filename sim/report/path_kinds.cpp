#include "path_kinds.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "orrery/program/builder.hpp"
#include "trace_path.hpp"

namespace orrery::report {
namespace {

using program::kNone;
using program::Operation;

// Passes and messages are of a stage; the optimizer and the collectives of the step's end of a place in the pipeline.
std::int32_t stage_of(const RunResult& run, program::TaskId task) {
  const program::Participant& first = run.program.participant(task);
  if (first.operation == kNone) return -1;
  return run.program.operations[first.operation].stage;
}

}  // namespace

std::vector<PathKind> path_kinds(const RunResult& run) {
  std::map<std::pair<std::string, std::int32_t>, PathKind> kinds;
  for (const PathStretch& p : stretches_of_path(run)) {
    std::string what(stretch_name(run, p));
    const std::int32_t stage = p.category == program::Category::host ? -1 : stage_of(run, p.task);
    PathKind& kind = kinds[{what, stage}];
    kind.what = std::move(what), kind.stage = stage, kind.category = p.category;
    kind.time += p.end - p.begin;
    ++kind.stretches;
  }
  std::vector<PathKind> result;
  for (auto& [key, kind] : kinds) result.push_back(std::move(kind));
  std::stable_sort(result.begin(), result.end(), [](const PathKind& a, const PathKind& b) { return a.time > b.time; });
  return result;
}

std::vector<SlackKind> slack_kinds(const RunResult& run) {
  const std::vector<std::int64_t> slack = engine::slack_of(run.program, run.timeline);
  // Of an operation that of the task it ends with.
  std::vector<std::int64_t> of(run.program.operations.size(), -1), end(of.size(), -1);
  for (program::TaskId task = 0; task < run.program.tasks(); ++task)
    for (std::uint32_t i = run.program.participant_begin[task]; i < run.program.participant_begin[task + 1]; ++i) {
      const program::OperationId op = run.program.participants[i].operation;
      if (op == kNone || run.timeline.end[task] < end[op]) continue;
      end[op] = run.timeline.end[task];
      of[op] = slack[task];
    }
  std::map<std::pair<std::int32_t, program::Activity>, SlackKind> kinds;
  for (std::size_t i = 0; i < of.size(); ++i) {
    const Operation& op = run.program.operations[i];
    if (of[i] < 0 || op.step + 1 != run.program.steps) continue;
    SlackKind& kind = kinds[{op.stage, op.activity}];
    if (kind.operations++ == 0) kind.least = std::numeric_limits<std::int64_t>::max();
    kind.what = std::string(program::activity_name(op.activity)), kind.stage = op.stage;
    kind.least = std::min(kind.least, of[i]), kind.most = std::max(kind.most, of[i]);
    kind.mean += static_cast<double>(of[i]);
  }
  std::vector<SlackKind> result;
  for (auto& [key, kind] : kinds) {
    kind.mean /= static_cast<double>(kind.operations);
    result.push_back(std::move(kind));
  }
  return result;
}

}  // namespace orrery::report
