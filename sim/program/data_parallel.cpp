#include "data_parallel.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "orrery/schedule/placement.hpp"
#include "pass_clock.hpp"

namespace orrery::program {

using layout::PassKind;
using layout::PassStep;
using schedule::OpKind;

DataParallel::DataParallel(layout::Parameters of, const StepInput& input, const Ranks& ranks, const Devices& devices,
                           Communication& communication, StageCosts& stages, Builder& builder)
    : of_(of),
      input_(input),
      ranks_(ranks),
      devices_(devices),
      communication_(communication),
      stages_(stages),
      builder_(builder),
      replicated_(
          std::ranges::any_of(ranks.sharing(of).replicas.groups, [](const auto& group) { return group.size() > 1; })),
      sums_replicas_late_(input.schedule->placement.pipes > 1 && !schedule::is_mirrored(*input.schedule)) {}

void DataParallel::form_groups() {
  if (!there()) return;
  const Ranks::Sharing& of = sharing();
  shards_.form(devices_, of.shard.groups, of.shard_of);
  replicas_.form(devices_, of.replicas.groups, of.replicas_of);
}

void DataParallel::Groups::form(const Devices& devices, const std::vector<std::vector<std::int32_t>>& groups,
                                const std::vector<std::int32_t>& group_of) {
  std::map<std::int32_t, std::size_t> known;
  for (const std::int32_t rank : devices.representative) {
    const std::int32_t group = group_of[static_cast<std::size_t>(rank)];
    const auto [it, fresh] = known.try_emplace(group, members.size());
    if (fresh) members.push_back(devices_of(devices, groups[static_cast<std::size_t>(group)]));
    of.push_back(it->second);
  }
}

std::vector<ObservedCall> DataParallel::observed() {
  std::vector<ObservedCall> list;
  if (!sharded() && !replicated()) return list;
  observing_ = &list;
  std::array<bool, 5> kinds{};
  const auto see = [&](const schedule::Schedule& schedule) {
    for (const auto& of_rank : schedule.order)
      for (const schedule::Operation& op : of_rank) kinds[static_cast<std::size_t>(op.kind)] = true;
  };
  see(*input_.schedule);
  for (std::size_t i = 0; i < input_.of_replicas.size(); ++i)
    if (i == 0 || input_.of_replicas[i] != input_.of_replicas[i - 1]) see(*input_.of_replicas[i]);
  bool& halves = kinds[static_cast<std::size_t>(OpKind::overlapped)];
  for (const OpKind half : {OpKind::forward, OpKind::backward})
    kinds[static_cast<std::size_t>(half)] = kinds[static_cast<std::size_t>(half)] || halves;
  halves = false;
  // What goes with other passes of a stage goes with one that is both the first and the last, too.
  for (int stage = 0; stage < stages_.stages(); ++stage)
    for (std::size_t kind = 0; kind < kinds.size(); ++kind)
      if (kinds[kind] && stages_.alike(stage) == stage)
        make_calls({0, 0, 0, stage, 0, static_cast<OpKind>(kind), true, true});
  for (int rank = 0; rank < input_.layout.pipeline; ++rank) end_calls(rank, 0, 0);
  observing_ = nullptr;
  return list;
}

// All-reduces are the replicas', the others the shards'.
TemplateId DataParallel::collective(std::int32_t group, Collective kind, Bytes bytes, std::int64_t at_start,
                                    std::int64_t at_end) {
  if (observing_ != nullptr) {
    const auto same = [&](const ObservedCall& c) { return c.kind == kind && c.bytes == bytes; };
    if (std::none_of(observing_->begin(), observing_->end(), same))
      observing_->push_back({kind == Collective::all_reduce ? &sharing().replicas : &sharing().shard, kind, bytes});
    return 0;
  }
  const auto [it, fresh] = templates_.try_emplace({group, kind, bytes.value, at_start, at_end});
  if (!fresh) return it->second;
  const bool replicas = kind == Collective::all_reduce;
  TaskTemplate t = collective_task(communication_, builder_, replicas ? sharing().replicas : sharing().shard,
                                   static_cast<std::size_t>(group), kind, bytes,
                                   kind == Collective::all_gather ? "gather parameters"
                                   : replicas && sharded()        ? "reduce gradients of replicas"
                                                                  : "reduce gradients");
  std::vector<MemoryEffect> effects;
  if (at_start != 0) effects.push_back({kNone, false, MemoryClass::buffers, {}, at_start});
  if (at_end != 0) effects.push_back({kNone, true, MemoryClass::buffers, {}, at_end});
  t.effects = builder_.add_effects(effects);
  return it->second = builder_.add_template(t);
}

std::vector<DataCall> DataParallel::calls(DeviceIndex device, const schedule::Operation& op, bool forward_half,
                                          bool first, bool last) {
  if (!there() || (!sharded() && !replicated() && offloading_ == nullptr)) return {};
  const auto rank = static_cast<std::size_t>(devices_.representative[device]);
  const bool x = op.kind == OpKind::overlapped;
  const int stage = x && !forward_half ? op.backward_stage : op.stage;
  const OpKind kind = !x ? op.kind : forward_half ? OpKind::forward : OpKind::backward;
  const int pipe = x && !forward_half ? op.backward_pipe : op.pipe;
  const std::int32_t host = offloading_ == nullptr ? 0 : offloading_->class_of(devices_.representative[device]);
  const Key key{sharing().shard_of[rank], sharing().replicas_of[rank], host, stage, pipe, kind, first, last};
  const auto [it, fresh] = calls_.try_emplace(key);
  if (fresh) it->second = make_calls(key);
  return it->second;
}

// The gradients of so many parameters, whole on each rank, become the sum on the rank (or shard) that holds them.
void DataParallel::reduce(const Key& key, std::int64_t parameters, std::uint32_t position,
                          std::vector<DataCall>& calls) {
  const bool held = input_.layout.shards_gradients(of_);  // in a buffer of their own until then
  const std::int64_t width = input_.stack.optimizer.gradient_bytes;
  if (sharded())
    calls.push_back(
        {false, position, Activity::gradient_reduce,
         collective(key.shard, Collective::reduce_scatter, {parameters * width}, 0, held ? -parameters * width : 0),
         0});
  if (replicated() && !sums_replicas_late_)
    calls.push_back({false, position, Activity::gradient_reduce,
                     collective(key.replicas, Collective::all_reduce,
                                {ceil_div(parameters, input_.layout.shards(of_)) * width}, 0, 0),
                     0, true});
  send_out(key, parameters, position, calls);
}

void DataParallel::send_out(const Key& key, std::int64_t parameters, std::uint32_t position,
                            std::vector<DataCall>& calls) {
  if (offloading_ == nullptr || observing_ != nullptr || !sends_in_passes()) return;
  if (const auto out = offloading_->gradients_out(key.host, parameters, position, of_)) calls.push_back(*out);
}

// No other rank has a part of them: layer by layer, once they are final.
void DataParallel::send_layers(const Key& key, PassKind kind, std::vector<DataCall>& calls) {
  const std::vector<PassStep>& steps = stages_.steps(key.stage, kind);
  for (const LayerRange& range : layer_ranges(steps))
    send_out(key, gradients_ready(steps, range, of_), behind(key, kind, range.end), calls);
}

std::int64_t DataParallel::bucket_bytes() const {
  const std::int64_t bucket = input_.stack.communication.bucket.value;
  return bucket > 0 ? bucket : std::numeric_limits<std::int64_t>::max();
}

std::vector<DataCall> DataParallel::make_calls(const Key& key) {
  const cost::StackCommunication& stack = input_.stack.communication;
  std::vector<DataCall> calls;
  const bool gradients = key.kind == OpKind::backward || key.kind == OpKind::weight_gradient;
  const PassKind kind = key.kind == OpKind::forward           ? PassKind::forward
                        : key.kind == OpKind::input_gradient  ? PassKind::input_gradient
                        : key.kind == OpKind::weight_gradient ? PassKind::weight_gradient
                                                              : PassKind::backward;
  if (input_.layout.gathers_parameters(of_)) {
    if (key.kind != OpKind::weight_gradient) gather_layers(key, kind, calls);
  } else if (stack.overlap_data && stack.overlap_gather) {
    if (key.kind == OpKind::forward && key.first && sharded()) gather_buckets(key, calls);
  }
  if (!sharded() && !replicated()) {
    if (gradients && key.last) send_layers(key, kind, calls);
  } else if (input_.layout.shards_gradients(of_)) {
    if (key.last || input_.layout.reduces_in_each_pass(of_)) reduce_units(key, kind, calls);
  } else if (stack.overlap_data && gradients && key.last) {
    reduce_buckets(key, kind, calls);
  }
  for (DataCall& call : calls) call.experts = of_ == layout::Parameters::experts;
  std::stable_sort(calls.begin(), calls.end(),
                   [](const DataCall& a, const DataCall& b) { return a.position < b.position; });
  return calls;
}

// Behind so many steps of the stage; gathers of what reaches it come before all else.
std::uint32_t DataParallel::behind(const Key& key, PassKind kind, std::uint32_t steps) {
  return steps == 0 ? 0 : steps + stages_.pass(0, key.stage, kind, key.pipe).received;
}

void DataParallel::gather_layers(const Key& key, PassKind kind, std::vector<DataCall>& calls) {
  const cost::StackCommunication& stack = input_.stack.communication;
  for (const LayerRange& range : layer_ranges(stages_.steps(key.stage, kind))) {
    const std::int64_t bytes =
        stages_.stage(key.stage).parameters_of_layer(range.layer, of_) * input_.state.gathered_bytes;
    if (bytes == 0) continue;
    calls.push_back({true, behind(key, kind, range.begin), Activity::parameter_gather,
                     collective(key.shard, Collective::all_gather, {bytes}, bytes, 0),
                     stack.overlap_data ? static_cast<int>(stack.prefetch) : 0});
  }
}

void DataParallel::reduce_units(const Key& key, PassKind kind, std::vector<DataCall>& calls) {
  for (const StageCosts::GradientUnit& unit : stages_.gradient_units(key.stage, kind, of_))
    reduce(key, unit.parameters, behind(key, kind, unit.end), calls);
}

// Parameters of a sharded optimizer arrive in buckets in the order of use, all asked for at the start of the step.
void DataParallel::gather_buckets(const Key& key, std::vector<DataCall>& calls) {
  const std::int64_t limit = bucket_bytes();
  std::int64_t bytes = 0;
  std::uint32_t first = 0;
  const auto flush = [&] {
    if (bytes > 0)
      calls.push_back({true, first, Activity::parameter_gather,
                       collective(key.shard, Collective::all_gather, {bytes}, 0, 0), 1 << 20});
    bytes = 0;
  };
  for (const LayerRange& range : layer_ranges(stages_.steps(key.stage, PassKind::forward))) {
    if (bytes >= limit) flush();
    if (bytes == 0) first = behind(key, PassKind::forward, range.begin);
    bytes += stages_.stage(key.stage).parameters_of_layer(range.layer, of_) * input_.state.gathered_bytes;
  }
  flush();
}

// A bucket is reduced once it is full, at the first step boundary at which no overlapped call of the pass is in flight.
void DataParallel::reduce_buckets(const Key& key, PassKind kind, std::vector<DataCall>& calls) {
  const Pass& pass = stages_.pass(0, key.stage, kind, key.pipe);
  const std::vector<PassStep>& from = stages_.steps(key.stage, kind);
  const std::int64_t limit = bucket_bytes();
  const std::int64_t width = input_.stack.optimizer.gradient_bytes;
  std::int64_t parameters = 0;
  std::uint32_t landed = 0;  // the first position behind the steps that wait for the calls so far
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i].of_experts == (of_ == layout::Parameters::experts)) parameters += from[i].gradients_ready;
    const auto position = static_cast<std::uint32_t>(pass.received + i + 1);
    const TimedStep& step = pass.steps[position - 1];
    if (runs_beside(step)) landed = std::max(landed, position + step.beside + 1);
    const bool end = i + 1 == from.size();
    const bool full = parameters * width >= limit && landed <= position;
    if (parameters == 0 || (!end && !full)) continue;
    reduce(key, parameters, position, calls);
    parameters = 0;
  }
}

std::vector<DataParallel::EndCall> DataParallel::at_end(DeviceIndex device) {
  const auto rank = static_cast<std::size_t>(devices_.representative[device]);
  if (!there()) return {};
  return end_calls(ranks_.at[rank][layout::Dimension::pipeline], sharing().shard_of[rank], sharing().replicas_of[rank]);
}

std::vector<DataParallel::EndCall> DataParallel::end_calls(int pipeline_rank, std::int32_t shard,
                                                           std::int32_t replicas) {
  std::vector<EndCall> result;
  const bool overlap = input_.stack.communication.overlap_data;
  const std::int64_t parameters = stages_.parameters_of_rank(pipeline_rank, of_);
  if (parameters == 0) return result;
  const std::int64_t gradient_bytes = input_.stack.optimizer.gradient_bytes;
  const Bytes gradients{parameters * gradient_bytes}, weights{parameters * input_.state.gathered_bytes},
      of_shard{ceil_div(parameters, input_.layout.shards(of_)) * gradient_bytes};
  const std::int64_t buffer = std::min(parameters, input_.stack.optimizer.reduce_buffer_elements) * gradient_bytes;
  const bool reduced = input_.layout.shards_gradients(of_);
  if (!overlap && sharded() && !reduced)
    result.push_back({false, false, collective(shard, Collective::reduce_scatter, gradients, buffer, -buffer)});
  if (replicated() && (sums_replicas_late_ || (!overlap && !reduced)))
    result.push_back(
        {false, true,
         collective(replicas, Collective::all_reduce, of_shard, sharded() ? 0 : buffer, sharded() ? 0 : -buffer)});
  if (sharded() && !input_.layout.gathers_parameters(of_) && !(overlap && input_.stack.communication.overlap_gather))
    result.push_back({true, false, collective(shard, Collective::all_gather, weights, 0, 0)});
  return result;
}

}  // namespace orrery::program
