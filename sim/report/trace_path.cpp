#include "trace_path.hpp"

#include <algorithm>

#include "orrery/program/builder.hpp"
#include "trace_arguments.hpp"

namespace orrery::report {
namespace {

using program::Category;
using program::kNone;
using program::Program;

program::OperationId operation_of(const Program& program, program::TaskId task) {
  return program.participant(task).operation;
}

// Parts of one operation that follow each other are one stretch.
void push(const RunResult& run, const PathStretch& next, std::vector<PathStretch>& path) {
  if (next.begin >= next.end) return;
  if (!path.empty()) {
    PathStretch& last = path.back();
    if (last.category == next.category && last.end == next.begin && !is_transfer(next.category) &&
        operation_of(run.program, last.task) == operation_of(run.program, next.task)) {
      last.end = next.end;
      return;
    }
  }
  path.push_back(next);
}

}  // namespace

std::vector<PathStretch> stretches_of_path(const RunResult& run) {
  std::vector<PathStretch> path;
  for (const PathStretch& s : engine::critical_stretches(run.program, run.timeline)) push(run, s, path);
  return path;
}

std::string_view stretch_name(const RunResult& run, const PathStretch& stretch) {
  const program::OperationId op = operation_of(run.program, stretch.task);
  const bool pass = op != kNone && run.program.operations[op].activity <= program::Activity::overlapped;
  if (!pass) return task_name(run.program, stretch.task);
  if (stretch.category == Category::compute) return program::activity_name(run.program.operations[op].activity);
  if (stretch.category == Category::host) return "launch";
  return program::kCategoryNames[static_cast<std::size_t>(stretch.category)];
}

DeviceSlices path_slices(const RunResult& run) {
  DeviceSlices all;
  for (const PathStretch& p : stretches_of_path(run)) {
    Slice slice{nanoseconds(p.begin), nanoseconds(p.end), stretch_name(run, p), kPasses};
    slice.category = p.category, slice.task = p.task;
    if (slice.start < slice.end) all.slices.push_back(slice);
  }
  lay_out(all);
  return all;
}

void write_path(const RunResult& run, const DeviceSlices& path, std::int64_t pid, TraceWriter& writer) {
  writer.process(pid, pid, "critical path");
  writer.thread(pid, 1, "what the step waits for");
  TraceArguments arguments;
  for (const Slice& slice : path.slices) {
    const program::Participant& first = run.program.participant(slice.task);
    Slice shown = slice;
    shown.operation = first.operation, shown.task = kNone, shown.track = kWaits;
    arguments.clear();
    arguments_of(run, shown, arguments);
    arguments.add("rank", run.program.devices[first.device].ranks.front());
    writer.slice({pid, 1, slice.start}, slice.end, slice.name,
                 program::kCategoryNames[static_cast<std::size_t>(slice.category)], colour_of(run.program, shown),
                 arguments);
  }
}

}  // namespace orrery::report
