#include "orrery/program/lower.hpp"

#include <algorithm>
#include <array>

#include "data_parallel.hpp"

namespace orrery::program {
namespace {

using layout::PassKind;
using schedule::OpKind;

PassKind pass_kind(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return PassKind::forward;
    case OpKind::input_gradient:
      return PassKind::input_gradient;
    case OpKind::weight_gradient:
      return PassKind::weight_gradient;
    case OpKind::backward:
    case OpKind::overlapped:
      return PassKind::backward;
  }
  internal_error("unknown operation kind");
}

class StepLowering {
 public:
  StepLowering(const StepPlan& plan, const std::vector<layout::StageSpan>& spans)
      : plan_(plan),
        ranks_(plan),
        communication_(plan),
        stages_(plan, ranks_, communication_, builder_, spans),
        data_(plan, ranks_, devices_, communication_, stages_, builder_),
        // Where transfers share links, ranks that are alike by themselves may meet on them: each is played.
        devices_(fold_ranks(ranks_, observed_calls(), communication_, plan.fold && plan.mode != NetworkMode::flows)) {
    data_.form_groups();
  }

  Result<LoweredStep> lower(const std::vector<layout::StageSpan>& spans);

 private:
  std::vector<ObservedCall> observed_calls();
  Bytes embedding_bytes() const;
  Bytes replicated_bytes(int pipeline_rank) const;
  void add_devices();
  std::vector<Team> teams() const;
  PipelinePlan pipeline_plan();
  TemplateId message(DeviceIndex from, DeviceIndex to, int stage, bool forward);
  void finish_step(PipelineEnds ends);
  void reduce_replicated(PipelineEnds& ends);
  void reduce_gradients(PipelineEnds& ends);
  void reduce_embeddings(PipelineEnds& ends);
  void sum_gradient_norm(PipelineEnds& ends);
  void run_optimizer(PipelineEnds& ends);
  void gather_parameters(PipelineEnds& ends);
  void join(const std::vector<DeviceIndex>& group, TemplateId task, Activity activity, PipelineEnds& ends);
  void summarise(LoweredStep& step, const std::vector<layout::StageSpan>& spans);

  std::size_t devices() const { return devices_.representative.size(); }

  const StepPlan& plan_;
  Builder builder_;
  Ranks ranks_;
  Communication communication_;
  StageCosts stages_;
  DataParallel data_;
  Devices devices_;
  std::map<std::tuple<std::int32_t, std::int64_t, bool, bool>, TemplateId> messages_;
};

// What tells ranks apart: every call of the step on a group of theirs. (All wait for the gradient norm together.)
std::vector<ObservedCall> StepLowering::observed_calls() {
  std::vector<ObservedCall> calls = stages_.calls();
  for (const ObservedCall& call : data_.observed()) calls.push_back(call);
  if (!ranks_.embedding.groups.empty()) calls.push_back({&ranks_.embedding, Collective::all_reduce, embedding_bytes()});
  for (int p = 0; p < plan_.layout.pipeline; ++p)
    if (const Bytes bytes = replicated_bytes(p); bytes.value > 0)
      calls.push_back({&ranks_.tensor, Collective::all_reduce, bytes});
  return calls;
}

// Tied embeddings: the copies on the first and last stage sum their gradients.
Bytes StepLowering::embedding_bytes() const {
  return {ceil_div(plan_.model.vocab, plan_.layout.tensor) * plan_.model.hidden * plan_.execution.gradient_bytes};
}

// Sequence parallelism: each tensor rank has seen its part of the sequence only, so the gradients of what all of them
// hold (norms, biases after a row-parallel product) are summed once a step.
Bytes StepLowering::replicated_bytes(int pipeline_rank) const {
  if (!plan_.layout.sequence_parallel || plan_.layout.tensor == 1) return {};
  std::int64_t parameters = 0;
  for (const int s : stages_.on_rank(pipeline_rank)) parameters += stages_.stage(s).replicated_parameters();
  return {parameters * plan_.execution.gradient_bytes};
}

void StepLowering::add_devices() {
  for (std::size_t d = 0; d < devices(); ++d) {
    const layout::Coordinates at = ranks_.at[static_cast<std::size_t>(devices_.representative[d])];
    Device device;
    device.ranks = devices_.ranks[d];
    device.pipeline_rank = at.pipeline;
    device.tensor_rank = at.tensor;
    device.context_rank = at.context;
    device.data_rank = at.data;
    const layout::StateBytes state =
        layout::state_bytes(stages_.parameters_of_rank(at.pipeline), plan_.state, plan_.layout);
    device.resident[static_cast<std::size_t>(MemoryClass::weights)] = state.weights.value;
    device.resident[static_cast<std::size_t>(MemoryClass::gradients)] = state.gradients.value;
    device.resident[static_cast<std::size_t>(MemoryClass::optimizer)] = state.optimizer.value;
    for (const int s : stages_.on_rank(at.pipeline)) {
      std::int64_t& buffers = device.resident[static_cast<std::size_t>(MemoryClass::buffers)];
      buffers = std::max(buffers, stages_.stage(s).placeholders().value);
    }
    builder_.add_device(std::move(device));
  }
}

std::vector<Team> StepLowering::teams() const {
  std::vector<Team> teams;
  std::vector<bool> placed(devices(), false);
  for (std::size_t d = 0; d < devices(); ++d) {
    if (placed[d]) continue;
    const std::int32_t rank = devices_.representative[d];
    const auto& context_ranks =
        ranks_.context.groups[static_cast<std::size_t>(ranks_.context_of[static_cast<std::size_t>(rank)])];
    std::vector<std::int32_t> members;
    Team team;
    for (const std::int32_t c : context_ranks) {
      const auto& tensor_ranks =
          ranks_.tensor.groups[static_cast<std::size_t>(ranks_.tensor_of[static_cast<std::size_t>(c)])];
      members.insert(members.end(), tensor_ranks.begin(), tensor_ranks.end());
      const auto group = devices_of(devices_, tensor_ranks);
      if (std::find(team.tensor.begin(), team.tensor.end(), group) == team.tensor.end()) team.tensor.push_back(group);
    }
    for (const std::int32_t t :
         ranks_.tensor.groups[static_cast<std::size_t>(ranks_.tensor_of[static_cast<std::size_t>(rank)])]) {
      const auto group = devices_of(
          devices_, ranks_.context.groups[static_cast<std::size_t>(ranks_.context_of[static_cast<std::size_t>(t)])]);
      if (std::find(team.context.begin(), team.context.end(), group) == team.context.end())
        team.context.push_back(group);
    }
    team.members = devices_of(devices_, members);
    for (const std::int32_t r : members)
      team.alike = team.alike && devices_.fold_class[static_cast<std::size_t>(r)] ==
                                     devices_.fold_class[static_cast<std::size_t>(rank)];
    for (const DeviceIndex m : team.members) placed[m] = true;
    teams.push_back(std::move(team));
  }
  return teams;
}

TemplateId StepLowering::message(DeviceIndex from, DeviceIndex to, int stage, bool forward) {
  const auto rank = static_cast<std::size_t>(devices_.representative[from]);
  const Family& family = ranks_.pairs(builder_.device(from).pipeline_rank, builder_.device(to).pipeline_rank);
  const bool up = &family == &ranks_.forward;
  const std::int32_t pair = up ? ranks_.forward_from[rank] : ranks_.backward_from[rank];
  const Bytes bytes = stages_.message_bytes(stage, forward);
  const auto [it, fresh] = messages_.try_emplace({pair, bytes.value, up, forward});
  if (!fresh) return it->second;
  const CallCost& cost = communication_.costs(family, Collective::send_receive, bytes)[static_cast<std::size_t>(pair)];
  // The sender keeps its copy until the message has left; the receiver's goes over to the pass that uses it.
  const std::array<MemoryEffect, 3> effects{MemoryEffect{0, false, MemoryClass::buffers, {}, bytes.value},
                                            MemoryEffect{0, true, MemoryClass::buffers, {}, -bytes.value},
                                            MemoryEffect{1, false, MemoryClass::buffers, {}, bytes.value}};
  TaskTemplate t;
  t.duration = cost.duration;
  t.category = family.category;
  t.lane = Lane::pipeline_send;
  t.partner_lane = Lane::pipeline_receive;
  t.name = forward ? "send activation" : "send gradient";
  t.effects = builder_.add_effects(effects);
  t.bytes_sent = bytes;
  if (!cost.transfer.phases.empty()) t.transfer = builder_.add_transfer(cost.transfer);
  return it->second = builder_.add_template(t);
}

PipelinePlan StepLowering::pipeline_plan() {
  PipelinePlan p;
  p.schedule = &plan_.schedule;
  p.teams = teams();
  p.fuse = plan_.fuse && plan_.mode != NetworkMode::flows;
  p.messages = plan_.execution.messages;
  const Slowdown& slowdown = plan_.execution.data_slowdown;
  if (plan_.execution.overlap_data && slowdown.numerator != slowdown.denominator)
    p.slowdown_class = builder_.add_slowdown(slowdown);
  p.pass = [this](DeviceIndex d, OpKind kind, int stage, int) -> const Pass& {
    return stages_.pass(devices_.representative[d], stage, pass_kind(kind));
  };
  p.data_calls = [this](DeviceIndex d, const schedule::Operation& op, bool first, bool last) {
    return data_.calls(d, op, first, last);
  };
  p.peer = [this](DeviceIndex d, int stage, int pipe) {
    const int to = plan_.schedule.placement.rank_of(stage, pipe);
    return devices_.device_of[static_cast<std::size_t>(ranks_.neighbour(devices_.representative[d], to))];
  };
  p.message = [this](DeviceIndex from, DeviceIndex to, int stage, bool forward) {
    return message(from, to, stage, forward);
  };
  p.data_group = [this](DeviceIndex d, bool replicas) -> const std::vector<DeviceIndex>& {
    return data_.group(d, replicas);
  };
  if (plan_.execution.step_overhead.value > 0) {
    TaskTemplate host;
    host.duration = plan_.execution.step_overhead;
    host.category = Category::host;
    host.lane = host.partner_lane = Lane::host;
    host.name = "step overhead";
    const TemplateId id = builder_.add_template(host);
    for (DeviceIndex d = 0; d < devices(); ++d) p.begin.push_back(builder_.add_task(id, Participant{d, kNone}));
  }
  return p;
}

// One task for a group of devices after what each of them did last; it becomes what each did last.
void StepLowering::join(const std::vector<DeviceIndex>& group, TemplateId task, Activity activity, PipelineEnds& ends) {
  std::vector<Participant> participants;
  for (const DeviceIndex d : group) participants.push_back({d, builder_.add_operation({d, activity, 0, -1, -1})});
  const TaskId id = builder_.add_task(task, participants);
  for (const DeviceIndex d : group) {
    if (ends.tail[d] != kNone) builder_.add_edge(ends.tail[d], id, EdgeKind::data);
    for (const TaskId reduction : ends.reductions[d]) builder_.add_edge(reduction, id, EdgeKind::data);
    ends.reductions[d].clear();
    ends.tail[d] = id;
  }
}

void StepLowering::reduce_gradients(PipelineEnds& ends) {
  for (const bool replicas : {false, true})
    for (DeviceIndex d = 0; d < devices(); ++d) {
      const std::vector<DeviceIndex>& group = data_.group(d, replicas);
      if (group.front() != d) continue;
      for (const DataParallel::EndCall& call : data_.at_end(d))
        if (!call.gather && call.replicas == replicas) join(group, call.task, Activity::gradient_reduce, ends);
    }
}

void StepLowering::gather_parameters(PipelineEnds& ends) {
  for (DeviceIndex d = 0; d < devices(); ++d)
    if (data_.group(d, false).front() == d)
      for (const DataParallel::EndCall& call : data_.at_end(d))
        if (call.gather) join(data_.group(d, false), call.task, Activity::parameter_gather, ends);
}

void StepLowering::reduce_embeddings(PipelineEnds& ends) {
  std::vector<std::vector<DeviceIndex>> done;
  for (std::size_t g = 0; g < ranks_.embedding.groups.size(); ++g) {
    const std::vector<DeviceIndex> pair = devices_of(devices_, ranks_.embedding.groups[g]);
    if (std::find(done.begin(), done.end(), pair) != done.end()) continue;
    done.push_back(pair);
    const TaskTemplate t = collective_task(communication_, builder_, ranks_.embedding, g, Collective::all_reduce,
                                           embedding_bytes(), "reduce embedding gradients");
    join(pair, builder_.add_template(t), Activity::embedding_reduce, ends);
  }
}

// The norm of all gradients (for clipping, and to skip a step that overflowed) needs every rank: the optimizer of each
// waits.
void StepLowering::sum_gradient_norm(PipelineEnds& ends) {
  if (ranks_.count == 1) return;
  TaskTemplate t;
  t.duration = ranks_.model_parallel.groups[0].size() > 1
                   ? communication_.costs(ranks_.model_parallel, Collective::all_reduce, {8})[0].duration
                   : communication_.costs(ranks_.gradient, Collective::all_reduce, {8})[0].duration;
  t.category = ranks_.model_parallel.category;
  t.lane = t.partner_lane = ranks_.model_parallel.lane;
  t.name = "gradient norm";
  std::vector<DeviceIndex> all;
  for (DeviceIndex d = 0; d < devices(); ++d) all.push_back(d);
  join(all, builder_.add_template(t), Activity::gradient_norm, ends);
}

// Adam is memory-bound: it reads and writes its states, gradients and weights once.
void StepLowering::run_optimizer(PipelineEnds& ends) {
  std::map<std::pair<std::int32_t, std::int32_t>, TemplateId> of_rank;  // by pipeline rank and speed
  for (DeviceIndex d = 0; d < devices(); ++d) {
    const std::int32_t p = builder_.device(d).pipeline_rank;
    const std::int32_t speed = ranks_.speed_of[static_cast<std::size_t>(devices_.representative[d])];
    const auto [it, fresh] = of_rank.try_emplace({p, speed});
    if (fresh) {
      const std::int64_t shards = plan_.layout.shards();
      const std::int64_t held = stages_.parameters_of_rank(p);
      model::Kernel kernel;
      kernel.bytes = {checked_add(checked_mul(ceil_div(held, shards), plan_.execution.optimizer_traffic),
                                  checked_mul(held, plan_.execution.gradient_traffic))};
      TaskTemplate t;
      t.duration = std::max(
          at_speed(cost::kernel_time(plan_.gpu, plan_.kernels, kernel), ranks_.speeds[static_cast<std::size_t>(speed)]),
          plan_.execution.optimizer_launch);
      t.category = Category::optimizer;
      t.name = "optimizer";
      it->second = builder_.add_template(t);
    }
    join({d}, it->second, Activity::optimizer, ends);
  }
}

void StepLowering::reduce_replicated(PipelineEnds& ends) {
  for (DeviceIndex d = 0; d < devices(); ++d) {
    const auto group = static_cast<std::size_t>(ranks_.tensor_of[static_cast<std::size_t>(devices_.representative[d])]);
    const std::vector<DeviceIndex> members = devices_of(devices_, ranks_.tensor.groups[group]);
    const Bytes bytes = replicated_bytes(builder_.device(d).pipeline_rank);
    if (members.front() != d || bytes.value == 0) continue;
    const TaskTemplate t = collective_task(communication_, builder_, ranks_.tensor, group, Collective::all_reduce,
                                           bytes, "reduce replicated gradients");
    join(members, builder_.add_template(t), Activity::gradient_reduce, ends);
  }
}

void StepLowering::finish_step(PipelineEnds ends) {
  reduce_replicated(ends);
  reduce_gradients(ends);
  reduce_embeddings(ends);
  sum_gradient_norm(ends);
  run_optimizer(ends);
  gather_parameters(ends);
}

void StepLowering::summarise(LoweredStep& step, const std::vector<layout::StageSpan>& spans) {
  std::vector<std::vector<std::int32_t>> on(static_cast<std::size_t>(plan_.layout.pipeline));  // one rank of each class
  std::int32_t classes = 0;
  for (std::int32_t r = 0; r < ranks_.count; ++r) {
    const auto i = static_cast<std::size_t>(r);
    if (devices_.fold_class[i] != classes) continue;
    ++classes;
    on[static_cast<std::size_t>(ranks_.at[i].pipeline)].push_back(r);
  }
  const auto slowest = [&](int stage, PassKind kind) {
    Time most{};
    for (const std::int32_t r : on[static_cast<std::size_t>(plan_.schedule.placement.rank_of(stage))])
      most = std::max(most, stages_.compute_time(r, stage, kind));
    return most;
  };
  const auto times = static_cast<Int128>(plan_.schedule.micro_batches) * plan_.layout.tensor * plan_.layout.context *
                     plan_.layout.data;
  for (int s = 0; s < stages_.stages(); ++s) {
    const layout::StageModel& stage = stages_.stage(s);
    step.model_flops += static_cast<Int128>(stage.model_flops().value) * times;
    step.hardware_flops += static_cast<Int128>(stage.hardware_flops().value) * times;
    step.stages.push_back({spans[static_cast<std::size_t>(s)], stage.parameters(), slowest(s, PassKind::forward),
                           slowest(s, PassKind::backward), slowest(s, PassKind::input_gradient),
                           slowest(s, PassKind::weight_gradient)});
  }
  step.ranks = ranks_.count;
  step.fold_class = devices_.fold_class;
}

Result<LoweredStep> StepLowering::lower(const std::vector<layout::StageSpan>& spans) {
  add_devices();
  const PipelinePlan pipeline = pipeline_plan();
  finish_step(lower_pipeline(pipeline, builder_));
  LoweredStep step;
  summarise(step, spans);
  Result<Program> program = builder_.finish();
  if (!program.ok()) return program.errors();
  step.program = std::move(program).value();
  return step;
}

}  // namespace

Result<LoweredStep> lower_step(const StepPlan& plan) {
  auto spans = layout::partition_layers(plan.model, plan.layout);
  if (!spans.ok()) return spans.errors();
  if (Diagnostics broken = check_routes(Ranks(plan), plan); !broken.empty()) return broken;
  return StepLowering(plan, *spans).lower(*spans);
}

}  // namespace orrery::program
