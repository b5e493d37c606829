// Copies between a device and the memory of its host, as tasks beside the passes.
#include "pipeline_lowering.hpp"

namespace orrery::program {

// Activations leave their device while the layer behind theirs runs: the one after that waits until they have, so that
// no more than two layers stand there at a time (Transformer Engine, AsyncDoubleBufferGroupOffloadHandler: a group
// waits for the copy of the one before it).
constexpr std::size_t kLeaving = 2;

void PipelineLowering::wait_for_copies(DeviceIndex d) {
  if (copied_[d].size() >= kLeaving) waits_[d].push_back(copied_[d][copied_[d].size() - kLeaving]);
}

TaskId PipelineLowering::move_out(DeviceIndex d, const DataCall& call, TaskId before) {
  const OperationId operation =
      builder_.add_operation({d, call.activity, call.pipe, call.stage < 0 ? 0 : call.stage, call.micro_batch});
  const TaskId task = builder_.add_task(call.task, Participant{d, operation});
  builder_.add_edge(before, task);
  if (call.move == DataCall::Move::gradients) {
    ends_.sent[d].push_back(task);
  } else {
    copied_[d].push_back(task);
    last_copy_[d][{call.stage, call.pipe, call.micro_batch}] = task;
  }
  return task;
}

// Activations have left before they come back: copies out keep their order.
TaskId PipelineLowering::fetch(DeviceIndex d, const DataCall& call) {
  const OperationId operation =
      builder_.add_operation({d, call.activity, call.pipe, call.stage < 0 ? 0 : call.stage, call.micro_batch});
  const TaskId task = builder_.add_task(call.task, Participant{d, operation});
  if (call.move != DataCall::Move::activations) return task;
  const auto out = last_copy_[d].find({call.stage, call.pipe, call.micro_batch});
  check(out != last_copy_[d].end(), "activations come back from the host that never went there");
  builder_.add_edge(out->second, task);
  return task;
}

}  // namespace orrery::program
