#include "step_end.hpp"

#include <algorithm>
#include <array>

#include "team_messages.hpp"

namespace orrery::program {

StepEnd::StepEnd(const StepInput& input, const layout::StageGraph& graph, const Ranks& ranks, const Devices& devices,
                 Communication& communication, StageCosts& stages, DataParallels& data, Builder& builder)
    : input_(input),
      kinds_(gpu_kinds(input)),
      graph_(graph),
      ranks_(ranks),
      devices_(devices),
      communication_(communication),
      stages_(stages),
      data_(data),
      builder_(builder) {}

std::vector<DeviceIndex> StepEnd::at_pipeline_rank(int rank) const {
  std::vector<DeviceIndex> result;
  for (DeviceIndex d = 0; d < devices(); ++d)
    if (builder_.device(d).pipeline_rank() == rank) result.push_back(d);
  return result;
}

DeviceIndex StepEnd::at_pipeline(DeviceIndex device, int pipeline_rank) const {
  return devices_
      .device_of[static_cast<std::size_t>(ranks_.at_pipeline(devices_.representative[device], pipeline_rank))];
}

Bytes StepEnd::shared_bytes(std::size_t index) const {
  return {graph_.shared()[index].parameters * input_.stack.optimizer.gradient_bytes};
}

// Sequence parallelism: each tensor rank has seen its part of the sequence only, so the gradients of what all of them
// hold (norms, biases after a row-parallel product) are summed once a step.
Bytes StepEnd::replicated_bytes(int pipeline_rank) const {
  if (!input_.layout.sequence_parallel || input_.layout.tensor == 1) return {};
  std::int64_t parameters = 0;
  for (const int s : stages_.on_rank(pipeline_rank)) parameters += stages_.stage(s).replicated_parameters();
  return {parameters * input_.stack.optimizer.gradient_bytes};
}

// Two numbers: the norm, and whether a gradient overflowed.
constexpr Bytes kNorm{8};

// Each of its ranks has other parameters of a stage, and so a part of the norm of it.
constexpr bool splits_parameters(const layout::DimensionFacts& d) {
  return d.in_pass && !d.sums_gradients;
}

std::vector<ObservedCall> StepEnd::observed() const {
  std::vector<ObservedCall> calls;
  for (std::size_t i = 0; i < ranks_.shared.size(); ++i)
    if (!ranks_.shared[i].groups.empty()) calls.push_back({&ranks_.shared[i], Collective::all_reduce, shared_bytes(i)});
  for (int p = 0; p < input_.layout.pipeline; ++p)
    if (const Bytes bytes = replicated_bytes(p); bytes.value > 0)
      calls.push_back({&ranks_.along[layout::Dimension::tensor], Collective::all_reduce, bytes});
  if (!post_validates(input_)) return calls;  // all wait for the norm together
  for (const ProcessGroups* pairs : {&ranks_.pipeline[1], &ranks_.pipeline.back()})
    calls.push_back({pairs, Collective::send_receive, kNorm});
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (splits_parameters(d) && input_.layout.*d.degree > 1)
      calls.push_back({&ranks_.along[d.dimension], Collective::all_reduce, kNorm});
  if (input_.layout.shards() > 1) calls.push_back({&ranks_.dense.shard, Collective::all_reduce, kNorm});
  return calls;
}

void StepEnd::lower(PipelineEnds& ends) {
  reduce_replicated(ends);
  reduce_gradients(ends);
  reduce_shared(ends);
  if (post_validates(input_)) {
    for (const layout::DimensionFacts& d : layout::kDimensionList)
      if (splits_parameters(d)) sum_stage_norm(ranks_.along[d.dimension], ranks_.along_of[d.dimension], ends);
    if (input_.layout.shards() > 1) sum_stage_norm(ranks_.dense.shard, ranks_.dense.shard_of, ends);
    pass_partial_norms(ends);
  } else {
    sum_gradient_norm(ends);
  }
  run_optimizer(ends);
  gather_parameters(ends);
}

// One task for a group of devices after what each of them did last; it becomes what each did last.
void StepEnd::join(const std::vector<DeviceIndex>& group, TemplateId task, Activity activity, PipelineEnds& ends) {
  std::vector<Participant> participants;
  for (const DeviceIndex d : group) participants.push_back({d, builder_.add_operation({d, activity, 0, -1, -1})});
  const TaskId id = builder_.add_task(task, participants);
  for (const DeviceIndex d : group) {
    if (ends.tail[d] != kNone) builder_.add_edge(ends.tail[d], id);
    for (const TaskId reduction : ends.reductions[d]) builder_.add_edge(reduction, id);
    ends.reductions[d].clear();
    ends.tail[d] = id;
  }
}

void StepEnd::reduce_gradients(PipelineEnds& ends) {
  for (DataParallel& data : data_)
    for (const bool replicas : {false, true})
      for (DeviceIndex d = 0; d < devices(); ++d)
        for (const DataParallel::EndCall& call : data.at_end(d)) {
          const std::vector<DeviceIndex>& group = data.group(d, replicas);
          if (group.front() == d && !call.gather && call.replicas == replicas)
            join(group, call.task, Activity::gradient_reduce, ends);
        }
}

void StepEnd::gather_parameters(PipelineEnds& ends) {
  for (DataParallel& data : data_)
    for (DeviceIndex d = 0; d < devices(); ++d)
      for (const DataParallel::EndCall& call : data.at_end(d))
        if (call.gather && data.group(d, false).front() == d)
          join(data.group(d, false), call.task, Activity::parameter_gather, ends);
}

// Stages that hold copies of the same parameters (tied embeddings) sum their gradients, wherever they stand.
void StepEnd::reduce_shared(PipelineEnds& ends) {
  if (!input_.stack.communication.embedding_reduce) return;
  for (std::size_t i = 0; i < ranks_.shared.size(); ++i) {
    std::vector<std::vector<DeviceIndex>> done;
    for (std::size_t g = 0; g < ranks_.shared[i].groups.size(); ++g) {
      const std::vector<DeviceIndex> copies = devices_of(devices_, ranks_.shared[i].groups[g]);
      if (std::find(done.begin(), done.end(), copies) != done.end()) continue;
      done.push_back(copies);
      const TaskTemplate t = collective_task(communication_, builder_, ranks_.shared[i], g, Collective::all_reduce,
                                             shared_bytes(i), "reduce embedding gradients");
      join(copies, builder_.add_template(t), Activity::embedding_reduce, ends);
    }
  }
}

void StepEnd::sum_gradient_norm(PipelineEnds& ends) {
  if (ranks_.count == 1) return;
  const ProcessGroups& among = ranks_.model_parallel.groups[0].size() > 1 ? ranks_.model_parallel : ranks_.gradient;
  TaskTemplate t;
  t.duration = communication_.costs(among, Collective::all_reduce, kNorm)[0].duration;
  t.category = ranks_.model_parallel.category;
  t.lane = t.partner_lane = ranks_.model_parallel.lane;
  t.name = "gradient norm";
  std::vector<DeviceIndex> all;
  for (DeviceIndex d = 0; d < devices(); ++d) all.push_back(d);
  join(all, builder_.add_template(t), Activity::gradient_norm, ends);
}

// The norm over the ranks that share the parameters of a stage.
void StepEnd::sum_stage_norm(const ProcessGroups& among, const std::vector<std::int32_t>& group_of,
                             PipelineEnds& ends) {
  for (DeviceIndex d = 0; d < devices(); ++d) {
    const auto group = static_cast<std::size_t>(group_of[static_cast<std::size_t>(devices_.representative[d])]);
    const std::vector<DeviceIndex> members = devices_of(devices_, among.groups[group]);
    if (among.groups[group].size() == 1 || members.front() != d) continue;
    const TaskTemplate t =
        collective_task(communication_, builder_, among, group, Collective::all_reduce, kNorm, "gradient norm");
    join(members, builder_.add_template(t), Activity::gradient_norm, ends);
  }
}

TaskId StepEnd::norm_message(DeviceIndex from, DeviceIndex to, bool forward) {
  const int to_rank = builder_.device(to).pipeline_rank();
  const ProcessGroups& pairs = ranks_.pairs(builder_.device(from).pipeline_rank(), to_rank);
  const std::int32_t pair = ranks_.pair_of(devices_.representative[from], to_rank);
  const auto [it, fresh] = norm_tasks_.try_emplace({pair, forward});
  if (fresh) {
    const auto index = static_cast<std::size_t>(pair);
    const CallCost& cost = devices_.messages->costs({&pairs, Collective::send_receive, kNorm}, communication_)[index];
    TaskTemplate t = collective_task(cost, builder_, pairs, index, Collective::send_receive, kNorm,
                                     forward ? "send partial norm" : "send full norm");
    t.partner_lane = Lane::pipeline_receive;
    it->second = builder_.add_template(t);
  }
  const Activity activity = forward ? Activity::gradient_norm : Activity::validation;
  const Participant both[2] = {{from, builder_.add_operation({from, activity, 0, -1, -1})},
                               {to, builder_.add_operation({to, activity, 0, -1, -1})}};
  return builder_.add_task(it->second, both, Builder::Ordering::free);
}

void StepEnd::pass_partial_norms(PipelineEnds& ends) {
  const std::vector<int>& order = ranks_.along_model;
  for (std::size_t next = 1; next < order.size(); ++next)
    for (const DeviceIndex from : at_pipeline_rank(order[next - 1])) {
      const DeviceIndex to = at_pipeline(from, order[next]);
      const TaskId message = norm_message(from, to, true);
      builder_.add_edge(ends.tail[from], message);
      for (const TaskId before : ends.reductions[from]) builder_.add_edge(before, message);
      ends.reductions[to].push_back(message);
    }
}

std::vector<TaskId> StepEnd::validate(const PipelineEnds& ends) {
  if (!post_validates(input_) || ends.tail.empty()) return {};
  std::vector<TaskId> validated(devices(), kNone);
  const std::vector<int>& order = ranks_.along_model;
  for (std::size_t place = order.size(); --place > 0;)
    for (const DeviceIndex from : at_pipeline_rank(order[place])) {
      const DeviceIndex to = at_pipeline(from, order[place - 1]);
      const TaskId message = norm_message(from, to, false);
      builder_.add_edge(ends.tail[from], message);
      if (validated[from] != kNone) builder_.add_edge(validated[from], message);
      validated[to] = message;
    }
  return validated;
}

// Adam is memory-bound: it reads and writes its states, gradients and weights once. Of what the host updates, the GPU
// looks at the gradients alone.
TemplateId StepEnd::optimizer_task(DeviceIndex d) {
  const std::int32_t p = builder_.device(d).pipeline_rank();
  const std::int32_t speed = ranks_.speed_of[static_cast<std::size_t>(devices_.representative[d])];
  const auto [it, fresh] = optimizer_.try_emplace({p, speed});
  if (!fresh) return it->second;
  std::int64_t held = 0, updated = 0;
  for (const layout::Parameters of : layout::kParameterKinds) {
    const std::int64_t parameters = stages_.parameters_of_rank(p, of);
    held += parameters, updated += ceil_div(parameters, input_.layout.shards(of));
    if (offloading_ != nullptr) updated -= offloading_->updated_on_host(p, of);
  }
  model::Kernel kernel;
  kernel.bytes = {checked_add(checked_mul(updated, input_.stack.optimizer.traffic),
                              checked_mul(held, input_.stack.optimizer.gradient_traffic))};
  const std::int64_t kernels = updated > 0 ? input_.stack.optimizer.kernels : 0;
  TaskTemplate t;
  const Speed& of = ranks_.speeds[static_cast<std::size_t>(speed)];
  const GpuRef& gpu = kinds_[static_cast<std::size_t>(of.gpu)];
  t.duration = std::max(at_speed(cost::kernel_time(gpu.gpu, gpu.kernels, kernel), of.factor),
                        input_.stack.launch.per_kernel * kernels);
  t.category = Category::optimizer;
  t.name = "optimizer";
  const cost::StackOptimizer& o = input_.stack.optimizer;
  const std::int64_t copies = o.gradient_bytes == 2 ? checked_mul(updated, o.gradient_copy_bytes) : 0;
  const std::array<MemoryEffect, 2> effects{MemoryEffect{kNone, false, MemoryClass::buffers, {}, copies},
                                            MemoryEffect{kNone, true, MemoryClass::buffers, {}, -copies}};
  if (copies > 0) t.effects = builder_.add_effects(effects);
  return it->second = builder_.add_template(t);
}

// The GPU updates its share beside the host; the step goes on once both have.
void StepEnd::run_optimizer(PipelineEnds& ends) {
  for (DeviceIndex d = 0; d < devices(); ++d) {
    const TaskId ready = ends.tail[d];
    join({d}, optimizer_task(d), Activity::optimizer, ends);
    if (offloading_ == nullptr || offloading_->of().optimizer <= 0) continue;
    const bool sent = std::ranges::all_of(data_, [](const DataParallel& of) { return of.sends_in_passes(); });
    const TaskId updated = offloading_->update(d, devices_.representative[d], ready, ends.sent[d], sent);
    if (!both_updated_) {
      TaskTemplate t;
      t.name = "updated";
      both_updated_ = builder_.add_template(t);
    }
    const TaskId both = builder_.add_task(*both_updated_, Participant{d, kNone});
    builder_.add_edge(ends.tail[d], both);
    builder_.add_edge(updated, both);
    ends.tail[d] = both;
  }
}

void StepEnd::reduce_replicated(PipelineEnds& ends) {
  for (DeviceIndex d = 0; d < devices(); ++d) {
    const auto group = static_cast<std::size_t>(
        ranks_.along_of[layout::Dimension::tensor][static_cast<std::size_t>(devices_.representative[d])]);
    const std::vector<DeviceIndex> members =
        devices_of(devices_, ranks_.along[layout::Dimension::tensor].groups[group]);
    const Bytes bytes = replicated_bytes(builder_.device(d).pipeline_rank());
    if (members.front() != d || bytes.value == 0) continue;
    const TaskTemplate t = collective_task(communication_, builder_, ranks_.along[layout::Dimension::tensor], group,
                                           Collective::all_reduce, bytes, "reduce replicated gradients");
    join(members, builder_.add_template(t), Activity::gradient_reduce, ends);
  }
}

}  // namespace orrery::program
