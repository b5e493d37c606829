#include "trace_arrows.hpp"

#include "trace_writer.hpp"

namespace orrery::report {
namespace {

using program::Activity;
using program::kNone;
using program::OperationId;
using program::Program;
using program::TaskId;

class Arrows {
 public:
  Arrows(const Program& program, const engine::OperationTimes& times) : program_(program), times_(times) {}

  // A message joins the first operation after it that needs it; task ids are in topological order.
  std::vector<Arrow> find() {
    std::vector<bool> drawn(program_.tasks(), false);
    for (TaskId task = 0; task < program_.tasks(); ++task)
      for (std::uint32_t i = program_.predecessor_begin[task]; i < program_.predecessor_begin[task + 1]; ++i) {
        const TaskId message = program_.predecessors[i];
        if (!is_message(message) || drawn[message]) continue;
        const OperationId to = pass_on(task, program_.participant(message, 1).device);
        const OperationId from = producer(message);
        if (from == kNone || to == kNone) continue;
        drawn[message] = true;
        join(from, message, to);
      }
    return std::move(arrows_);
  }

 private:
  bool is_message(TaskId task) const {
    const std::uint32_t first = program_.participant_begin[task];
    if (program_.participant_begin[task + 1] != first + 2) return false;
    const OperationId op = program_.participants[first].operation;
    if (op == kNone) return false;
    const Activity activity = program_.operations[op].activity;
    return activity == Activity::send_forward || activity == Activity::send_backward;
  }
  // The pass a task belongs to on a device.
  OperationId pass_on(TaskId task, program::DeviceIndex device) const {
    for (std::uint32_t i = program_.participant_begin[task]; i < program_.participant_begin[task + 1]; ++i) {
      const program::Participant& p = program_.participants[i];
      if (p.device == device && p.operation != kNone &&
          program_.operations[p.operation].activity <= Activity::overlapped)
        return p.operation;
    }
    return kNone;
  }
  OperationId producer(TaskId message) const {
    const program::DeviceIndex device = program_.participant(message).device;
    for (std::uint32_t i = program_.predecessor_begin[message]; i < program_.predecessor_begin[message + 1]; ++i)
      if (const OperationId op = pass_on(program_.predecessors[i], device); op != kNone) return op;
    return kNone;
  }

  void join(OperationId from, TaskId message, OperationId to) {
    const OperationId arrival = program_.participant(message, 1).operation;
    const bool forward = program_.operations[arrival].activity == Activity::send_forward;
    if (leave(arrival) > nanoseconds(times_.start[arrival])) {
      add(from, arrival, forward);
      add(arrival, to, forward);
    } else {
      add(from, to, forward);  // the message takes no time to speak of
    }
  }
  // Strictly inside the slice, which may be written a nanosecond short (trace_slices.cpp).
  std::int64_t leave(OperationId op) const { return nanoseconds(times_.end[op]) - 2; }
  void add(OperationId from, OperationId to, bool forward) {
    const std::int64_t arrive = nanoseconds(times_.start[to]);
    if (leave(from) > nanoseconds(times_.start[from]) && leave(from) < arrive)
      arrows_.push_back({from, to, leave(from), arrive, forward});
  }

  const Program& program_;
  const engine::OperationTimes& times_;
  std::vector<Arrow> arrows_;
};

}  // namespace

std::vector<Arrow> arrows_of(const Program& program, const engine::OperationTimes& times) {
  return Arrows(program, times).find();
}

}  // namespace orrery::report
