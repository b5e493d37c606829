#include "trace_arguments.hpp"

#include "orrery/network/collective.hpp"
#include "orrery/program/builder.hpp"

namespace orrery::report {
namespace {

using program::Activity;
using program::Category;
using program::kNone;
using program::Program;
using program::TaskId;

// The predecessor that ended last, kNone if there is none.
TaskId last_before(const RunResult& run, TaskId task) {
  const Program& program = run.program;
  TaskId last = kNone;
  for (std::uint32_t i = program.predecessor_begin[task]; i < program.predecessor_begin[task + 1]; ++i)
    if (const TaskId p = program.predecessors[i]; last == kNone || run.timeline.end[p] > run.timeline.end[last])
      last = p;
  return last;
}

void add_operation(const Program& program, const program::Operation& op, TraceArguments& into) {
  if (op.stage >= 0 && op.micro_batch >= 0) {
    into.add("stage", op.stage);
    into.add("micro_batch", op.micro_batch);
  }
  if (op.pipe != 0) into.add("pipe", op.pipe);
  if (op.backward_stage >= 0) {
    into.add("backward_stage", op.backward_stage);
    into.add("backward_micro_batch", op.backward_micro_batch);
  }
  if (program.steps > 1) into.add("step", op.step + 1);
}

// "waits for B of stage 2, micro-batch 3 on rank 8", as numbers.
void add_task(const RunResult& run, std::string_view what, TaskId task, TraceArguments& into) {
  const Program& program = run.program;
  const program::Participant& first = program.participant(task);
  into.add_text(what, task_name(program, task));
  if (!program.devices[first.device].ranks.empty())
    into.add(fmt::format("{}_rank", what), program.devices[first.device].ranks.front());
  if (first.operation == kNone) return;
  const program::Operation& op = program.operations[first.operation];
  if (op.micro_batch < 0 || op.stage < 0) return;
  into.add(fmt::format("{}_stage", what), op.stage);
  into.add(fmt::format("{}_micro_batch", what), op.micro_batch);
}

// Bytes each sends, and what of them moves a second: per rank, as nccl-tests' bus bandwidth counts an all-reduce.
void add_transfer(const Slice& slice, std::int64_t bytes, std::uint8_t algorithm, TraceArguments& into) {
  if (bytes <= 0) return;
  into.add("bytes", bytes);
  into.add_real("GB_per_s", static_cast<double>(bytes) / static_cast<double>(slice.end - slice.start));
  if (algorithm != 0) into.add_text("algorithm", network::algorithm_name(algorithm));
}

void add_part(const RunResult& run, const Slice& slice, TraceArguments& into) {
  if (slice.layer >= 0)
    into.add("layer", slice.layer);
  else if (slice.layer != program::kNoLayer)
    into.add_text("layer", slice.layer == program::kEmbeddingLayer ? "embedding" : "head");
  if (slice.part == kNone) return;
  const program::PassPart& part = run.program.parts[slice.part];
  if (slice.name != part.name) into.add_text("operator", part.name);
  if (is_transfer(part.category)) add_transfer(slice, part.bytes_sent.value, part.algorithm, into);
}

}  // namespace

void arguments_of(const RunResult& run, const Slice& slice, TraceArguments& into) {
  const Program& program = run.program;
  if (slice.operation != kNone) add_operation(program, program.operations[slice.operation], into);
  if (slice.track == kWaits) {
    if (slice.cause != kNone) add_task(run, "cause", slice.cause, into);
    if (slice.task != kNone) into.add_text("before", task_name(program, slice.task));
    return;
  }
  add_part(run, slice, into);
  if (slice.track == kPasses && slice.work > 0) {
    into.add("work_us", Microseconds{nanoseconds(slice.work)});
    into.add("other_us", Microseconds{std::max<std::int64_t>(0, slice.end - slice.start - nanoseconds(slice.work))});
  }
  if (slice.task == kNone || slice.part != kNone) return;
  const program::TaskTemplate& t = program.template_of(slice.task);
  if (is_transfer(t.category) && t.segments.count == 0)
    add_transfer(slice, t.bytes_sent.value, t.calls.count > 0 ? program.calls[t.calls.first].algorithm : 0, into);
  if (slice.track == kPasses || is_transfer(slice.category))
    if (const TaskId before = last_before(run, slice.task); before != kNone) add_task(run, "waited_for", before, into);
}

std::string_view colour_of(const Program& program, const Slice& slice) {
  if (slice.track == kPasses && slice.operation != kNone) {
    switch (program.operations[slice.operation].activity) {
      case Activity::forward:
        return "thread_state_running";
      case Activity::backward:
        return "thread_state_runnable";
      case Activity::input_gradient:
        return "rail_response";
      case Activity::weight_gradient:
        return "thread_state_iowait";
      default:
        return "thread_state_uninterruptible";
    }
  }
  switch (slice.category) {
    case Category::compute:
      return "good";
    case Category::recompute:
      return "olive";
    case Category::optimizer:
      return "rail_load";
    case Category::pipeline_comm:
      return "rail_idle";
    case Category::cpu_optimizer:
      return "rail_response";
    case Category::host:
    case Category::bubble:
      return "grey";
    case Category::data_comm:
      return "bad";
    default:
      return "yellow";
  }
}

}  // namespace orrery::report
