// What goes between the stages of a pipeline: the edges of the stage graph, as messages where their ends stand on
// different devices, else as order within one.
#include <map>
#include <utility>

#include "pipeline_lowering.hpp"

namespace orrery::program {

// A rank has slots for what its own stages make and for what arrives at them.
void PipelineLowering::number_slots() {
  const auto number = [&](std::vector<std::int32_t>& numbers, int count, const auto& stage_of) {
    std::vector<std::int32_t> next(static_cast<std::size_t>(placement_.ranks), 0);
    for (int pipe = 0; pipe < placement_.pipes; ++pipe)
      for (int i = 0; i < count; ++i)
        for (const bool forward : {true, false})
          numbers.push_back(next[static_cast<std::size_t>(placement_.rank_of(stage_of(i, forward), pipe))]++);
    return next;
  };
  made_on_ = number(stage_slot_, stages_, [](int stage, bool) { return stage; });
  arrive_on_ = number(edge_slot_, static_cast<int>(graph_.edges().size()),
                      [&](int edge, bool forward) { return graph_.edge(edge).target(forward); });
}

// The operation may start when its inputs are there: what arrives on the edges of its stage.
void PipelineLowering::enter(const Team& team, const schedule::Operation& op, int stage, int micro_batch, int pipe,
                             bool forward) {
  if (op.kind == schedule::OpKind::weight_gradient) return;  // its I came before it on this rank
  const auto edges = graph_.arriving(stage, forward);
  for (const DeviceIndex d : team.members) {
    for (const std::int32_t edge : edges) {
      const int from = graph_.edge(edge).source(forward);
      const DeviceIndex source = input_.peer(d, from, pipe);
      if (source == d) {
        waits_[d].push_back(made(d, from, micro_batch, pipe, forward));
      } else if (input_.messages != MessageMode::rendezvous) {  // else an exchange before it has received it
        waits_[d].push_back(message(source, edge, micro_batch, pipe, forward));
      }
    }
    if (!forward && edges.empty()) waits_[d].push_back(made(d, stage, micro_batch, pipe, true));
  }
}

void PipelineLowering::leave(const Team& team, int stage, int micro_batch, int pipe, bool forward) {
  for (const DeviceIndex d : team.members) {
    const TaskId tail = waits_[d].front();
    if (meets(input_.meets, stage, forward))
      builder_.levels().together.push_back(tail);
    else if (meets(input_.meets_in_part, stage, forward))
      builder_.levels().in_part.push_back(tail);
    made(d, stage, micro_batch, pipe, forward) = tail;
    if (input_.messages == MessageMode::rendezvous) continue;  // an exchange after it sends it
    for (const std::int32_t edge : graph_.leaving(stage, forward)) {
      const DeviceIndex to = input_.peer(d, graph_.edge(edge).target(forward), pipe);
      if (to == d) continue;
      const TaskId sent = message(d, edge, micro_batch, pipe, forward);
      builder_.add_edge(tail, sent);
      sent_[d * 2 + (forward ? 0 : 1)].push_back({to, sent});
    }
  }
}

// Blocking messages: all of an exchange are posted together, each starts when both ends have posted it, and the device
// goes on when all are done. So does the host (torch.cuda.synchronize behind each exchange in Megatron-LM's
// p2p_communication.py; shapes read back in nanotron and DeepSpeed): it launches nothing ahead of a message.
void PipelineLowering::exchange(DeviceIndex d, std::span<const schedule::Message> messages) {
  std::vector<TaskId> posted;
  for (const schedule::Message& m : messages) {
    const DeviceIndex from = m.sends ? d : input_.peer(d, m.stage, m.pipe);
    posted.push_back(message(from, m.edge, m.micro_batch, m.pipe, !m.gradient));
  }
  for (const TaskId m : posted)
    for (const TaskId before : waits_[d])
      if (before != kNone && before != m) builder_.add_edge(before, m);
  waits_[d] = posted;
  host_waits_[d] = std::move(posted);
}

TaskId PipelineLowering::message(DeviceIndex from, std::int32_t edge, int micro_batch, int pipe, bool forward) {
  const int stage = graph_.edge(edge).source(forward);
  const DeviceIndex to = input_.peer(from, graph_.edge(edge).target(forward), pipe);
  TaskId& task = arrived(to, edge, micro_batch, pipe, forward);
  if (task == kNone) {
    const Activity activity = forward ? Activity::send_forward : Activity::send_backward;
    const auto p = static_cast<std::uint8_t>(pipe);
    const Participant ends[2] = {{from, builder_.add_operation({from, activity, p, stage, micro_batch})},
                                 {to, builder_.add_operation({to, activity, p, stage, micro_batch})}};
    task = builder_.add_task(input_.message(from, to, edge, forward), ends, Builder::Ordering::free);
  }
  return task;
}

// One message at a time between a pair of ranks, in each direction, in the order they are produced.
void PipelineLowering::serialise_messages() {
  for (const auto& sent : sent_) {
    std::map<DeviceIndex, TaskId> last;
    for (const auto& [to, task] : sent) {
      const auto [it, fresh] = last.emplace(to, task);
      if (!fresh) builder_.add_edge(std::exchange(it->second, task), task);
    }
  }
}

}  // namespace orrery::program
