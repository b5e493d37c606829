#include "orrery/program/pipeline.hpp"

#include <algorithm>
#include <utility>

#include "pipeline_lowering.hpp"

namespace orrery::program {

using schedule::OpKind;

namespace {

// Weights before what is gathered of them.
std::size_t ahead_kind(const DataCall& call) {
  return call.move == DataCall::Move::weights ? 0 : call.move == DataCall::Move::activations ? 1 : 2;
}

Activity activity_of(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return Activity::forward;
    case OpKind::backward:
      return Activity::backward;
    case OpKind::input_gradient:
      return Activity::input_gradient;
    case OpKind::weight_gradient:
      return Activity::weight_gradient;
    case OpKind::overlapped:
      return Activity::overlapped;
  }
  internal_error("unknown operation kind");
}

}  // namespace

PipelineLowering::PipelineLowering(const PipelineInput& input, Builder& builder)
    : input_(input),
      builder_(builder),
      placement_(input.teams.front().schedule->placement),
      graph_(*input.stages),
      stages_(placement_.stages),
      join_(builder.add_template({})) {
  std::size_t devices = 0;
  for (const Team& team : input.teams) {
    micro_batches_ = std::max(micro_batches_, team.schedule->micro_batches);
    for (const DeviceIndex d : team.members) devices = std::max<std::size_t>(devices, d + 1);
  }
  waits_.resize(devices);
  check(graph_.stages() == stages_, "PipelineLowering: a graph of the stages of the schedule");
  number_slots();
}

void PipelineLowering::begin(const StepStart& start) {
  const std::size_t devices = waits_.size();
  start_ = &start;
  waits_.assign(devices, {});
  for (std::size_t d = 0; d < start.ready.size(); ++d) waits_[d].push_back(start.ready[d]);
  validated_.assign(devices, start.validated.empty());
  operation_.assign(devices, kNone);
  pass_.assign(devices, nullptr);
  history_.assign(devices, {});
  step_tasks_.resize(devices);
  host_waits_.assign(devices, {});
  output_.assign(devices, {});
  arrived_.assign(devices, {});
  for (DeviceIndex d = 0; d < devices; ++d) {
    const auto rank = static_cast<std::size_t>(builder_.device(d).pipeline_rank());
    const auto each = static_cast<std::size_t>(micro_batches_);
    output_[d].assign(static_cast<std::size_t>(made_on_[rank]) * each, kNone);
    arrived_[d].assign(static_cast<std::size_t>(arrive_on_[rank]) * each, kNone);
  }
  data_tasks_.assign(devices * kDataKinds, {});
  data_calls_seen_.assign(devices * kDataKinds, 0);
  sent_.assign(devices * 2, {});
  copied_.assign(devices, {});
  last_copy_.assign(devices, {});
  ends_ = {std::vector<TaskId>(devices, kNone), std::vector<std::vector<TaskId>>(devices),
           std::vector<std::vector<TaskId>>(devices)};
}

PipelineEnds PipelineLowering::run(const StepStart& start) {
  begin(start);
  for (const Team& team : input_.teams) lower_team(team);
  if (input_.messages == MessageMode::serialised) serialise_messages();
  for (DeviceIndex d = 0; d < waits_.size(); ++d)
    if (!waits_[d].empty()) ends_.tail[d] = builder_.last_on(d, Lane::compute);
  return std::move(ends_);
}

std::vector<PipelineLowering::Place> PipelineLowering::places_of(const std::vector<schedule::Operation>& order) const {
  std::vector<Place> places(order.size());
  const std::size_t stages = static_cast<std::size_t>(stages_ * placement_.pipes), none = order.size();
  std::vector<std::size_t> first(stages, none), last(stages, none);
  std::size_t run = none, stage_of_run = stages;  // the last pass of the run so far
  for (std::size_t i = 0; i < order.size(); ++i) {
    const schedule::Operation& op = order[i];
    const bool x = op.kind == OpKind::overlapped;
    const auto at = static_cast<std::size_t>(op.pipe * stages_ + op.stage);
    if ((x || op.kind == OpKind::forward) && first[at] == none) first[at] = i;
    if (op.kind == OpKind::forward) continue;
    const std::size_t back = x ? static_cast<std::size_t>(op.backward_pipe * stages_ + op.backward_stage) : at;
    last[back] = i;
    if (!input_.reduces_after_runs || op.kind == OpKind::input_gradient) continue;
    places[i].opens = back != stage_of_run;
    if (places[i].opens && run != none) places[run].last = true;
    run = i;
    stage_of_run = back;
  }
  for (const std::size_t i : first)
    if (i != none) places[i].first = true;
  for (const std::size_t i : last)
    if (i != none) places[i].last = true;
  return places;
}

void PipelineLowering::lower_team(const Team& team) {
  const auto& order = team.schedule->order;
  const std::size_t rank = static_cast<std::size_t>(builder_.device(team.members.front()).pipeline_rank());
  const std::vector<Place> places = places_of(order[rank]);
  const auto lower = [&](std::size_t i) { lower_operation(team, order[rank][i], places[i]); };
  if (input_.messages != MessageMode::rendezvous) {
    for (std::size_t i = 0; i < order[rank].size(); ++i) lower(i);
    return;
  }
  const schedule::BlockingProgram program = schedule::blocking_program(*team.schedule, graph_, static_cast<int>(rank));
  for (const schedule::ProgramStep& step : program.steps) {
    if (step.operation >= 0) {
      lower(static_cast<std::size_t>(step.operation));
      continue;
    }
    const auto messages =
        std::span(program.messages)
            .subspan(static_cast<std::size_t>(step.first_message), static_cast<std::size_t>(step.message_count));
    for (const DeviceIndex d : team.members) exchange(d, messages);
  }
}

void PipelineLowering::lower_operation(const Team& team, const schedule::Operation& op, Place place) {
  const bool x = op.kind == OpKind::overlapped;
  const bool forward = op.kind == OpKind::forward || x;
  enter(team, op, op.stage, op.micro_batch, op.pipe, forward);
  if (x) enter(team, op, op.backward_stage, op.backward_micro_batch, op.backward_pipe, false);
  std::vector<std::vector<DataCall>> calls(team.members.size()), forward_calls(x ? team.members.size() : 0);
  for (std::size_t i = 0; i < team.members.size(); ++i) {
    const DeviceIndex d = team.members[i];
    operation_[d] = builder_.add_operation({d, activity_of(op.kind), static_cast<std::uint8_t>(op.pipe), op.stage,
                                            op.micro_batch, 0, static_cast<std::uint8_t>(op.backward_pipe),
                                            op.backward_stage, op.backward_micro_batch});
    if (op.kind != OpKind::forward && !validated_[d]) {
      waits_[d].push_back(start_->validated[d]);
      validated_[d] = true;
    }
    if (!input_.data_calls) continue;
    calls[i] = input_.data_calls(d, op, false, place.first, place.last);
    if (x) forward_calls[i] = input_.data_calls(d, op, true, place.first, place.last);
  }
  const auto take = [&](OpKind kind, int stage, int pipe) {
    for (const DeviceIndex d : team.members)
      pass_[d] = &input_.pass(d, kind, stage, pipe, kind == OpKind::forward || place.opens);
  };
  if (x && input_.overlapped_pass) {
    for (const DeviceIndex d : team.members) pass_[d] = input_.overlapped_pass(d, op, place.opens);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      calls[i].insert(calls[i].begin(), forward_calls[i].begin(), forward_calls[i].end());
      std::stable_sort(calls[i].begin(), calls[i].end(),
                       [](const DataCall& a, const DataCall& b) { return a.position < b.position; });
    }
    emit_pass(team, calls);
  } else if (x) {
    take(OpKind::forward, op.stage, op.pipe);
    emit_pass(team, forward_calls);
    take(OpKind::backward, op.backward_stage, op.backward_pipe);
    emit_pass(team, calls);
  } else {
    take(op.kind, op.stage, op.pipe);
    emit_pass(team, calls);
  }
  if (op.kind != OpKind::weight_gradient) leave(team, op.stage, op.micro_batch, op.pipe, forward);
  if (x) leave(team, op.backward_stage, op.backward_micro_batch, op.backward_pipe, false);
}

// Gathers are issued `prefetch` ahead of the piece that begins at `position`, before the reductions of that piece: the
// lane keeps the order of issue, so a gather asked for too late would stand behind a reduction that waits for the piece
// to end.
void PipelineLowering::gather_before(DeviceIndex d, const std::vector<DataCall>& calls, std::uint32_t position,
                                     Ahead& issued) {
  for (std::size_t kind = 0; kind < kAhead; ++kind) {
    const auto of_kind = [&](const DataCall& c) { return c.gather && ahead_kind(c) == kind; };
    const auto due = static_cast<std::size_t>(std::count_if(
        calls.begin(), calls.end(), [&](const DataCall& c) { return of_kind(c) && c.position <= position; }));
    std::size_t index = 0;
    for (const DataCall& call : calls) {
      if (!of_kind(call)) continue;
      if (index == issued[kind].size() && index < due + static_cast<std::size_t>(call.prefetch)) {
        const std::size_t ahead = index < due ? 0 : index - due + 1;
        const std::size_t back = static_cast<std::size_t>(call.prefetch) - ahead + 1;
        issued[kind].push_back(ahead_task(d, calls, call, issued));
        if (history_[d].size() >= back) {
          builder_.add_edge(history_[d][history_[d].size() - back], issued[kind].back());
        } else if (!start_->previous.empty()) {
          builder_.add_edge(start_->previous[d], issued[kind].back());
        }
      }
      if (call.position == position) waits_[d].push_back(issued[kind][index]);
      ++index;
    }
  }
}

// What is gathered of a shard that is kept on the host is fetched first.
TaskId PipelineLowering::ahead_task(DeviceIndex d, const std::vector<DataCall>& calls, const DataCall& call,
                                    const Ahead& issued) {
  if (call.move != DataCall::Move::none) return fetch(d, call);
  const TaskId gather = data_task(d, call);
  std::size_t fetched = 0;
  for (const DataCall& c : calls) {
    if (!c.gather || c.move != DataCall::Move::weights) continue;
    if (c.position == call.position && fetched < issued[0].size()) builder_.add_edge(issued[0][fetched], gather);
    ++fetched;
  }
  return gather;
}

void PipelineLowering::reduce_after(const Team& team, std::size_t member, const std::vector<DataCall>& calls,
                                    std::uint32_t position) {
  const DeviceIndex d = team.members[member];
  TaskId before = waits_[d].front();
  auto call = std::ranges::lower_bound(calls, position, {}, &DataCall::position);
  for (; call != calls.end() && call->position == position; ++call) {
    if (call->gather) continue;
    if (call->move != DataCall::Move::none) {
      move_out(d, *call, before);
      continue;
    }
    const TaskId task = data_task(d, *call);
    builder_.add_edge(call->replicas ? before : waits_[d].front(), task);
    before = task;
    ends_.reductions[d].push_back(task);
  }
}

// All members of a group make the same calls in the same order: the k-th call of each is one task.
TaskId PipelineLowering::data_task(DeviceIndex device, const DataCall& call) {
  const std::vector<DeviceIndex>& group = input_.data_group(device, call);
  const std::size_t kind = (call.replicas ? 1u : 0u) + (call.experts ? 2u : 0u);
  std::vector<TaskId>& tasks = data_tasks_[group.front() * kDataKinds + kind];
  const std::size_t index = data_calls_seen_[device * kDataKinds + kind]++;
  if (index == tasks.size()) {
    std::vector<Participant> participants;
    for (const DeviceIndex d : group)
      participants.push_back({d, builder_.add_operation({d, call.activity, 0, -1, static_cast<std::int32_t>(index)})});
    tasks.push_back(builder_.add_task(call.task, participants));
    if (input_.sums_together) builder_.levels().together.push_back(tasks.back());
  }
  return tasks[index];
}

}  // namespace orrery::program
