#include "orrery/program/pipeline.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "block.hpp"
#include "orrery/schedule/exchange.hpp"

namespace orrery::program {
namespace {

using schedule::Operation;
using schedule::OpKind;

Activity activity_of(OpKind kind) {
  switch (kind) {
    case OpKind::forward: return Activity::forward;
    case OpKind::backward: return Activity::backward;
    case OpKind::input_gradient: return Activity::input_gradient;
    case OpKind::weight_gradient: return Activity::weight_gradient;
    case OpKind::overlapped: return Activity::overlapped;
  }
  internal_error("unknown operation kind");
}

// Steps of an operation, by reference to the plan's passes (an overlapped operation has two).
struct Work {
  const Pass* pass;
  std::uint32_t begin, end;
};

class Lowering {
 public:
  Lowering(const PipelinePlan& plan, Builder& builder);
  PipelineEnds run();

 private:
  void lower_team(const Team& team);
  void lower_operation(const Team& team, const Operation& op, bool first, bool last);
  void enter(const Team& team, const Operation& op, int stage, int micro_batch, int pipe, bool forward);
  void leave(const Team& team, int stage, int micro_batch, int pipe, bool forward);
  void exchange(DeviceIndex device, std::span<const schedule::Message> messages);
  void emit_pass(const Team& team, const Pass& pass, const std::vector<std::vector<DataCall>>& calls);
  void emit_piece(const Team& team, const Pass& pass, std::uint32_t begin, std::uint32_t end, bool slowable);
  void emit_fused(const std::vector<DeviceIndex>& members, const Pass& pass, std::uint32_t begin, std::uint32_t end);
  void emit_steps(const Team& team, const Pass& pass, std::uint32_t begin, std::uint32_t end);
  void wait_for_launch(DeviceIndex device, Time launch);
  void gather_before(const Team& team, std::size_t member, const std::vector<DataCall>& calls, std::uint32_t position);
  void reduce_after(const Team& team, std::size_t member, const std::vector<DataCall>& calls, std::uint32_t position);
  TaskId data_task(DeviceIndex device, const DataCall& call);
  TaskId message(DeviceIndex from, int stage, int micro_batch, int pipe, bool forward);
  void add_after(TaskId task, DeviceIndex device);
  void serialise_messages();

  std::size_t slot(int stage, int micro_batch, int pipe, bool forward) const {
    return static_cast<std::size_t>(((pipe * stages_ + stage) * micro_batches_ + micro_batch) * 2 + (forward ? 0 : 1));
  }

  const PipelinePlan& plan_;
  Builder& builder_;
  const schedule::Placement& placement_;
  int stages_, micro_batches_;
  // Per device: what the next task must wait for, the operation being lowered, tails of the pieces so far.
  std::vector<std::vector<TaskId>> waits_;
  std::vector<OperationId> operation_;
  std::vector<std::vector<TaskId>> history_;
  std::vector<std::vector<TaskId>> output_;     // [device][slot] last task of the producer, or the message to this device
  std::vector<std::vector<TaskId>> data_tasks_;  // [first device of the group] in order of the calls
  std::vector<std::size_t> data_calls_seen_;     // [device]
  std::vector<std::vector<std::pair<DeviceIndex, TaskId>>> sent_;  // [device · 2 + forward] (to, message) in order
  PipelineEnds ends_;
  struct FusedKey {
    const Pass* pass;
    std::uint32_t begin, end;
    auto operator<=>(const FusedKey&) const = default;
  };
  struct Fused {
    TemplateId task;
    TemplateId host_before, host_after;
    bool has_host;
  };
  const Fused& fused(const Pass& pass, std::uint32_t begin, std::uint32_t end);
  std::map<FusedKey, Fused> fused_;
  std::map<FusedKey, TemplateId> steps_;
  std::map<std::int64_t, TemplateId> launches_;
  bool slowable_ = false;  // the piece being emitted
  TemplateId join_;  // no time: where an unfused piece waits for the calls still in flight
};

Lowering::Lowering(const PipelinePlan& plan, Builder& builder)
    : plan_(plan), builder_(builder), placement_(plan.schedule->placement), stages_(placement_.stages),
      micro_batches_(plan.schedule->micro_batches), join_(builder.add_template({})) {
  std::size_t devices = 0;
  for (const Team& team : plan.teams)
    for (const DeviceIndex d : team.members) devices = std::max<std::size_t>(devices, d + 1);
  const auto slots = static_cast<std::size_t>(stages_ * placement_.pipes * micro_batches_) * 2;
  waits_.resize(devices);
  for (std::size_t d = 0; d < plan.begin.size(); ++d) waits_[d].push_back(plan.begin[d]);
  operation_.assign(devices, kNone);
  history_.resize(devices);
  output_.assign(devices, {});
  for (auto& o : output_) o.assign(slots, kNone);
  data_tasks_.resize(devices);
  data_calls_seen_.assign(devices, 0);
  sent_.resize(devices * 2);
  ends_.tail.assign(devices, kNone);
  ends_.reductions.resize(devices);
}

PipelineEnds Lowering::run() {
  for (const Team& team : plan_.teams) lower_team(team);
  if (plan_.messages == MessageMode::serialised) serialise_messages();
  for (DeviceIndex d = 0; d < waits_.size(); ++d)
    if (!waits_[d].empty()) ends_.tail[d] = builder_.last_on(d, Lane::compute);
  return std::move(ends_);
}

void Lowering::lower_team(const Team& team) {
  // All members run the list of their pipeline rank; find it by the placement of the plan's first member.
  const auto& order = plan_.schedule->order;
  const std::size_t rank = static_cast<std::size_t>(builder_.device(team.members.front()).pipeline_rank);
  std::vector<std::int32_t> first(static_cast<std::size_t>(stages_ * placement_.pipes), -1), last(first);
  const auto note = [&](int stage, int pipe, std::size_t i, bool forward) {
    const auto at = static_cast<std::size_t>(pipe * stages_ + stage);
    if (forward && first[at] < 0) first[at] = static_cast<std::int32_t>(i);
    if (!forward) last[at] = static_cast<std::int32_t>(i);
  };
  for (std::size_t i = 0; i < order[rank].size(); ++i) {
    const Operation& op = order[rank][i];
    const bool forward = op.kind == OpKind::forward || op.kind == OpKind::overlapped;
    note(op.stage, op.pipe, i, forward);
    if (op.kind == OpKind::overlapped) note(op.backward_stage, op.backward_pipe, i, false);
  }
  const auto lower = [&](std::size_t i) {
    const Operation& op = order[rank][i];
    const bool x = op.kind == OpKind::overlapped;
    const auto backward_at = static_cast<std::size_t>(x ? op.backward_pipe * stages_ + op.backward_stage
                                                        : op.pipe * stages_ + op.stage);
    const auto at = static_cast<std::size_t>(op.pipe * stages_ + op.stage);
    const auto index = static_cast<std::int32_t>(i);
    lower_operation(team, op, first[at] == index, last[backward_at] == index);
  };
  if (plan_.messages != MessageMode::rendezvous) {
    for (std::size_t i = 0; i < order[rank].size(); ++i) lower(i);
    return;
  }
  const schedule::BlockingProgram program = schedule::blocking_program(*plan_.schedule, static_cast<int>(rank));
  for (const schedule::ProgramStep& step : program.steps) {
    if (step.operation >= 0) {
      lower(static_cast<std::size_t>(step.operation));
      continue;
    }
    const auto messages = std::span(program.messages).subspan(static_cast<std::size_t>(step.first_message), static_cast<std::size_t>(step.message_count));
    for (const DeviceIndex d : team.members) exchange(d, messages);
  }
}

// The operation may start when its inputs are there: the activation of the stage before, the gradient of the stage after.
void Lowering::enter(const Team& team, const Operation& op, int stage, int micro_batch, int pipe, bool forward) {
  const int from = forward ? stage - 1 : stage + 1;
  for (const DeviceIndex d : team.members) {
    if (op.kind == OpKind::weight_gradient) continue;  // its I came before it on this rank
    if (from >= 0 && from < stages_) {
      const DeviceIndex source = plan_.peer(d, from, pipe);
      if (source == d) {
        waits_[d].push_back(output_[d][slot(from, micro_batch, pipe, forward)]);
      } else if (plan_.messages != MessageMode::rendezvous) {  // else an exchange before it has received it
        waits_[d].push_back(message(source, from, micro_batch, pipe, forward));
      }
    }
    if (!forward && stage == stages_ - 1) waits_[d].push_back(output_[d][slot(stage, micro_batch, pipe, true)]);
  }
}

void Lowering::leave(const Team& team, int stage, int micro_batch, int pipe, bool forward) {
  const int to = forward ? stage + 1 : stage - 1;
  for (const DeviceIndex d : team.members) {
    const TaskId tail = waits_[d].front();
    output_[d][slot(stage, micro_batch, pipe, forward)] = tail;
    if (to < 0 || to >= stages_ || plan_.peer(d, to, pipe) == d) continue;
    if (plan_.messages == MessageMode::rendezvous) continue;  // an exchange after it sends it
    const TaskId sent = message(d, stage, micro_batch, pipe, forward);
    builder_.add_edge(tail, sent, EdgeKind::data);
    sent_[d * 2 + (forward ? 0 : 1)].push_back({plan_.peer(d, to, pipe), sent});
  }
}

// Blocking messages: all of an exchange are posted together, each starts when both ends have posted it, and the device goes
// on when all are done.
void Lowering::exchange(DeviceIndex d, std::span<const schedule::Message> messages) {
  std::vector<TaskId> posted;
  for (const schedule::Message& m : messages) {
    const DeviceIndex from = m.sends ? d : plan_.peer(d, m.stage, m.pipe);
    posted.push_back(message(from, m.stage, m.micro_batch, m.pipe, !m.gradient));
  }
  for (const TaskId m : posted)
    for (const TaskId before : waits_[d])
      if (before != kNone && before != m) builder_.add_edge(before, m, EdgeKind::rendezvous);
  waits_[d] = std::move(posted);
}

void Lowering::lower_operation(const Team& team, const Operation& op, bool first, bool last) {
  const bool x = op.kind == OpKind::overlapped;
  const bool forward = op.kind == OpKind::forward || x;
  enter(team, op, op.stage, op.micro_batch, op.pipe, forward);
  if (x) enter(team, op, op.backward_stage, op.backward_micro_batch, op.backward_pipe, false);
  std::vector<std::vector<DataCall>> calls(team.members.size());
  for (std::size_t i = 0; i < team.members.size(); ++i) {
    operation_[team.members[i]] = builder_.add_operation({team.members[i], activity_of(op.kind),
                                                          static_cast<std::uint8_t>(op.pipe), op.stage, op.micro_batch});
    if (plan_.data_calls) calls[i] = plan_.data_calls(team.members[i], op, first, last);
  }
  const DeviceIndex d0 = team.members.front();
  const Pass* joint = x && plan_.overlapped_pass ? plan_.overlapped_pass(d0, op) : nullptr;
  if (joint != nullptr) {
    emit_pass(team, *joint, calls);
  } else if (x) {
    emit_pass(team, plan_.pass(d0, OpKind::forward, op.stage, op.pipe), {});
    emit_pass(team, plan_.pass(d0, OpKind::backward, op.backward_stage, op.backward_pipe), calls);
  } else {
    emit_pass(team, plan_.pass(d0, op.kind, op.stage, op.pipe), calls);
  }
  if (op.kind != OpKind::weight_gradient) leave(team, op.stage, op.micro_batch, op.pipe, forward);
  if (x) leave(team, op.backward_stage, op.backward_micro_batch, op.backward_pipe, false);
}

void Lowering::emit_pass(const Team& team, const Pass& pass, const std::vector<std::vector<DataCall>>& calls) {
  std::vector<std::uint32_t> cuts{0, static_cast<std::uint32_t>(pass.steps.size())};
  const bool slowable = plan_.slowdown_class != 0 && !calls.empty() && !calls.front().empty();
  for (const auto& of_member : calls)
    for (const DataCall& c : of_member) cuts.push_back(c.position);
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  for (std::size_t i = 0; i + 1 < cuts.size() || i == 0; ++i) {
    for (std::size_t m = 0; m < calls.size(); ++m) gather_before(team, m, calls[m], cuts[i]);
    if (i + 1 >= cuts.size()) break;
    emit_piece(team, pass, cuts[i], cuts[i + 1], slowable);
    for (std::size_t m = 0; m < calls.size(); ++m) reduce_after(team, m, calls[m], cuts[i + 1]);
  }
}

void Lowering::gather_before(const Team& team, std::size_t member, const std::vector<DataCall>& calls, std::uint32_t position) {
  const DeviceIndex d = team.members[member];
  for (const DataCall& call : calls) {
    if (!call.gather || call.position != position) continue;
    const TaskId task = data_task(d, call);
    const auto back = static_cast<std::size_t>(call.prefetch) + 1;
    if (history_[d].size() >= back) builder_.add_edge(history_[d][history_[d].size() - back], task, EdgeKind::data);
    waits_[d].push_back(task);
  }
}

void Lowering::reduce_after(const Team& team, std::size_t member, const std::vector<DataCall>& calls, std::uint32_t position) {
  const DeviceIndex d = team.members[member];
  for (const DataCall& call : calls) {
    if (call.gather || call.position != position) continue;
    const TaskId task = data_task(d, call);
    builder_.add_edge(waits_[d].front(), task, EdgeKind::data);
    ends_.reductions[d].push_back(task);
  }
}

// All members of a gradient group make the same calls in the same order: the k-th call of each is one task.
TaskId Lowering::data_task(DeviceIndex device, const DataCall& call) {
  const std::vector<DeviceIndex>& group = plan_.gradient_group(device);
  std::vector<TaskId>& tasks = data_tasks_[group.front()];
  const std::size_t index = data_calls_seen_[device]++;
  if (index == tasks.size()) {
    std::vector<Participant> participants;
    for (const DeviceIndex d : group)
      participants.push_back({d, builder_.add_operation({d, call.activity, 0, -1, static_cast<std::int32_t>(index)})});
    tasks.push_back(builder_.add_task(call.task, participants));
  }
  return tasks[index];
}

TaskId Lowering::message(DeviceIndex from, int stage, int micro_batch, int pipe, bool forward) {
  const int to_stage = forward ? stage + 1 : stage - 1;
  const DeviceIndex to = plan_.peer(from, to_stage, pipe);
  TaskId& task = output_[to][slot(stage, micro_batch, pipe, forward)];
  if (task == kNone) {
    const Activity activity = forward ? Activity::send_forward : Activity::send_backward;
    const auto p = static_cast<std::uint8_t>(pipe);
    const Participant ends[2] = {{from, builder_.add_operation({from, activity, p, stage, micro_batch})},
                                 {to, builder_.add_operation({to, activity, p, stage, micro_batch})}};
    task = builder_.add_task(plan_.message(from, to, stage, forward), ends, Builder::Ordering::free);
  }
  return task;
}

// One message at a time between a pair of ranks, in each direction, in the order they are produced.
void Lowering::serialise_messages() {
  for (const auto& sent : sent_) {
    std::map<DeviceIndex, TaskId> last;
    for (const auto& [to, task] : sent) {
      const auto [it, fresh] = last.emplace(to, task);
      if (!fresh) builder_.add_edge(std::exchange(it->second, task), task, EdgeKind::resource);
    }
  }
}

// Kernels that traffic beside them may slow down are played one by one, fused or not: how long they take is known only then.
void Lowering::emit_piece(const Team& team, const Pass& pass, std::uint32_t begin, std::uint32_t end, bool slowable) {
  slowable_ = slowable;
  if (plan_.fuse && team.alike && !slowable) {
    emit_fused(team.members, pass, begin, end);
  } else {
    emit_steps(team, pass, begin, end);
  }
  for (const DeviceIndex d : team.members) history_[d].push_back(waits_[d].front());
}

// The new task waits for all the device's open inputs and becomes the one the next waits for.
void Lowering::add_after(TaskId task, DeviceIndex device) {
  for (const TaskId before : waits_[device])
    if (before != kNone && before != task) builder_.add_edge(before, task, EdgeKind::data);
  waits_[device].assign(1, task);
}

const Lowering::Fused& Lowering::fused(const Pass& pass, std::uint32_t begin, std::uint32_t end) {
  const FusedKey key{&pass, begin, end};
  if (const auto it = fused_.find(key); it != fused_.end()) return it->second;
  const Block block = make_block(std::span(pass.steps).subspan(begin, end - begin), begin);
  TaskTemplate t;
  t.duration = block.duration;
  t.category = block.segments.empty() ? Category::compute : block.segments.front().category;
  t.name = "pass";
  t.segments = builder_.add_segments(block.segments);
  t.effects = builder_.add_effects(block.effects);
  TaskTemplate host;
  host.category = Category::host;
  host.lane = host.partner_lane = Lane::host;
  host.name = "launch";
  Fused result{builder_.add_template(t), 0, 0, (block.host_before + block.host_after).value > 0};
  host.duration = block.host_before;
  result.host_before = builder_.add_template(host);
  host.duration = block.host_after;
  result.host_after = builder_.add_template(host);
  return fused_.emplace(key, result).first->second;
}

void Lowering::emit_fused(const std::vector<DeviceIndex>& members, const Pass& pass, std::uint32_t begin, std::uint32_t end) {
  const Fused& f = fused(pass, begin, end);
  std::vector<Participant> participants;
  for (const DeviceIndex d : members) {
    participants.push_back({d, operation_[d]});
    if (f.has_host) waits_[d].push_back(builder_.add_task(f.host_before, Participant{d, kNone}));
  }
  const TaskId task = builder_.add_task(f.task, participants);
  for (const DeviceIndex d : members) {
    add_after(task, d);
    if (f.has_host) builder_.add_task(f.host_after, Participant{d, kNone});
  }
}

// A blocking launch: time of the host in the device's own order.
void Lowering::wait_for_launch(DeviceIndex device, Time launch) {
  const auto [it, fresh] = launches_.try_emplace(launch.value);
  if (fresh) it->second = builder_.add_template({launch, Category::host, Lane::compute, Lane::compute, 0, "launch", {}, {}, kNone, {}});
  add_after(builder_.add_task(it->second, Participant{device, operation_[device]}), device);
}

void Lowering::emit_steps(const Team& team, const Pass& pass, std::uint32_t begin, std::uint32_t end) {
  const Fused& f = fused(pass, begin, end);  // for the host's part, which is the piece's either way
  if (f.has_host)
    for (const DeviceIndex d : team.members) waits_[d].push_back(builder_.add_task(f.host_before, Participant{d, kNone}));
  std::vector<std::vector<std::pair<std::uint32_t, TaskId>>> pending(waits_.size());  // overlapped calls: (needed by, task)
  const auto join = [&](DeviceIndex d, std::uint32_t step) {
    for (auto& [needed_by, task] : pending[d])
      if (needed_by <= step && task != kNone) waits_[d].push_back(std::exchange(task, kNone));
  };
  for (std::uint32_t i = begin; i < end; ++i) {
    const Step& s = pass.steps[i];
    const bool slowed = slowable_ && is_work(s.category);
    const FusedKey key{&pass, i, slowed ? kNone : i};
    auto it = steps_.find(key);
    if (it == steps_.end()) {
      std::vector<MemoryEffect> effects;
      for (const StepMemory& m : s.memory) effects.push_back({kNone, m.at_end, m.memory_class, {}, m.bytes});
      TaskTemplate t{s.duration, s.category, s.lane, s.lane, slowed ? plan_.slowdown_class : std::uint8_t{0}, s.name, {}, builder_.add_effects(effects), s.transfer, s.bytes_sent};
      it = steps_.emplace(key, builder_.add_template(t)).first;
    }
    std::vector<std::vector<DeviceIndex>> alone;
    if (s.lane == Lane::compute)
      for (const DeviceIndex d : team.members) alone.push_back({d});
    const auto& groups = s.lane == Lane::compute ? alone : s.lane == Lane::tensor ? team.tensor : team.context;
    for (const std::vector<DeviceIndex>& group : groups) {
      std::vector<Participant> participants;
      for (const DeviceIndex d : group) {
        join(d, i);
        participants.push_back({d, operation_[d]});
        if (s.before.value > 0) wait_for_launch(d, s.before);
      }
      const TaskId task = builder_.add_task(it->second, participants);
      for (const DeviceIndex d : group) {
        const std::vector<TaskId> before = waits_[d];
        add_after(task, d);
        if (s.lane != Lane::compute && s.needed_by >= 0) {
          pending[d].push_back({static_cast<std::uint32_t>(s.needed_by), task});
          waits_[d] = before;
        }
      }
    }
  }
  for (const DeviceIndex d : team.members) {
    join(d, kNone);
    if (waits_[d].size() > 1) add_after(builder_.add_task(join_, Participant{d, operation_[d]}), d);  // one exit
    if (f.has_host) builder_.add_task(f.host_after, Participant{d, kNone});
  }
}

}  // namespace

PipelineEnds lower_pipeline(const PipelinePlan& plan, Builder& builder) { return Lowering(plan, builder).run(); }

}  // namespace orrery::program
