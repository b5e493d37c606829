#include "offloading.hpp"

#include <algorithm>
#include <array>

namespace orrery::program {

using layout::Parameters;
using layout::PassKind;
using layout::PassStep;

namespace {

std::int64_t& of_class(MemoryByClass& memory, MemoryClass which) {
  return memory[static_cast<std::size_t>(which)];
}

// The layer that each step of a pass is in, as a place in layer_ranges().
std::vector<std::size_t> range_of_steps(const std::vector<LayerRange>& ranges, std::size_t steps) {
  std::vector<std::size_t> of(steps);
  for (std::size_t i = 0; i < ranges.size(); ++i)
    std::fill(of.begin() + ranges[i].begin, of.begin() + ranges[i].end, i);
  return of;
}

}  // namespace

std::int64_t FetchedWeights::parameters(const layout::StageModel& stage, std::int64_t layer, Parameters of) const {
  if (share <= 0 || !layout::keeps_off(stage.span(), layer, share)) return 0;
  return ceil_div(stage.parameters_of_layer(layer, of), ranks[static_cast<std::size_t>(of)]);
}

std::int64_t FetchedWeights::bytes(const layout::StageModel& stage, std::int64_t layer) const {
  std::int64_t all = 0;
  for (const Parameters of : layout::kParameterKinds) all += parameters(stage, layer, of);
  return checked_mul(all, width);
}

FetchedWeights fetched_weights(const StepInput& input) {
  if (input.offload.weights <= 0) return {};
  const layout::Layout& layout = input.layout;
  const bool spread = layout.zero == layout::Zero::parameters;
  return {input.offload.weights,
          input.state.weight_bytes,
          {spread ? layout.shards() : 1, spread ? layout.shards(Parameters::experts) : 1}};
}

Offloading::Offloading(const StepInput& input, const Ranks& ranks, StageCosts& stages, Builder& builder)
    : input_(input),
      ranks_(ranks),
      stages_(stages),
      builder_(builder),
      paths_(input, ranks),
      fetched_(fetched_weights(input)) {}

std::int64_t Offloading::updated_on_host(int pipeline_rank, Parameters of) const {
  const std::int64_t all = stages_.parameters_of_rank(pipeline_rank, of);
  return layout::kept_off(ceil_div(all, input_.layout.shards(of)), input_.offload.optimizer);
}

void Offloading::place_states(Device& device) const {
  const auto move = [&](MemoryClass which, std::int64_t gpu, std::int64_t host) {
    of_class(device.resident, which) -= std::min(gpu, of_class(device.resident, which));
    of_class(device.on_host, which) += host;
  };
  const int rank = device.pipeline_rank();
  for (const Parameters of : layout::kParameterKinds) {
    const std::int64_t updated = updated_on_host(rank, of);
    const std::int64_t states = checked_mul(updated, input_.state.optimizer_bytes);
    move(MemoryClass::optimizer, states, states);
    move(MemoryClass::gradients,
         input_.layout.shards_gradients(of) ? checked_mul(updated, input_.state.gradient_bytes) : 0,
         checked_mul(updated, input_.stack.optimizer.gradient_bytes));
    const std::int64_t weights = checked_mul(kept_weights(rank, of), input_.state.weight_bytes);
    move(MemoryClass::weights, weights, weights);
  }
}

// Parameters of a rank, as it holds them, that are kept on the host.
std::int64_t Offloading::kept_weights(int pipeline_rank, Parameters of) const {
  std::int64_t kept = 0;
  if (!fetched_) return kept;
  for (const int s : stages_.on_rank(pipeline_rank))
    for (std::int64_t layer = -1; layer <= input_.graph->spec.layers; ++layer)
      kept += fetched_.parameters(stages_.stage(s), layer, of);
  return kept;
}

// What F makes for the backward passes, by the layer whose steps are the last of F to use it.
std::vector<Offloading::Held> Offloading::leaving(int stage) {
  const std::vector<PassStep>& steps = stages_.steps(stage, PassKind::forward);
  const std::vector<LayerRange> ranges = layer_ranges(steps);
  const std::vector<std::size_t> range = range_of_steps(ranges, steps.size());
  std::map<layout::TensorId, std::pair<std::size_t, std::int64_t>> last;  // of each tensor: step, bytes
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (const layout::MemoryChange& m : steps[i].memory)
      if (m.memory_class == MemoryClass::activations && m.tensor >= 0)
        last[m.tensor] = {i, last[m.tensor].second + m.bytes.value};
    for (const layout::TensorId t : steps[i].uses)
      if (const auto of = last.find(t); of != last.end()) of->second.first = i;
  }
  std::vector<Held> held(ranges.size());
  const layout::StageSpan span = stages_.stage(stage).span();
  for (const auto& [tensor, at] : last) {
    const LayerRange& of = ranges[range[at.first]];
    const bool layer = of.layer >= span.first_layer && of.layer < span.first_layer + span.layers;
    if (at.second <= 0 || !layer || !layout::keeps_off(span, of.layer, input_.offload.activations)) continue;
    Held& out = held[range[at.first]];
    out.position = of.end;
    out.tensors.emplace_back(tensor, at.second);
    out.bytes += at.second;
  }
  std::erase_if(held, [](const Held& h) { return h.tensors.empty(); });
  return held;
}

// Of them what the pass is the first to read, by the layer that it first reads it in.
std::vector<Offloading::Held> Offloading::arriving(int stage, PassKind kind) {
  std::map<layout::TensorId, std::int64_t> gone;
  for (const Held& out : this->held(stage, PassKind::forward))
    for (const auto& [tensor, bytes] : out.tensors) gone.emplace(tensor, bytes);
  if (kind == PassKind::weight_gradient)
    for (const Held& in : this->held(stage, PassKind::input_gradient))
      for (const auto& [tensor, bytes] : in.tensors) gone.erase(tensor);
  const std::vector<PassStep>& steps = stages_.steps(stage, kind);
  const std::vector<LayerRange> ranges = layer_ranges(steps);
  const std::vector<std::size_t> range = range_of_steps(ranges, steps.size());
  std::vector<Held> held(ranges.size());
  const auto take = [&](layout::TensorId tensor, std::size_t step) {
    const auto of = gone.find(tensor);
    if (of == gone.end()) return;
    Held& in = held[range[step]];
    in.position = ranges[range[step]].begin;
    in.tensors.emplace_back(tensor, of->second);
    in.bytes += of->second;
    gone.erase(of);
  };
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (const layout::TensorId t : steps[i].uses) take(t, i);
    for (const layout::MemoryChange& m : steps[i].memory) take(m.tensor, i);  // freed though nothing reads it
  }
  std::erase_if(held, [](const Held& h) { return h.tensors.empty(); });
  return held;
}

const std::vector<Offloading::Held>& Offloading::held(int stage, PassKind kind) {
  const auto found = held_.find({stage, kind});
  if (found != held_.end()) return found->second;
  return held_[{stage, kind}] = kind == PassKind::forward ? leaving(stage) : arriving(stage, kind);
}

TemplateId Offloading::copy(std::int32_t of_class, bool to_host, Bytes bytes, const char* name,
                            const std::vector<MemoryEffect>& effects) {
  const CallCost cost = paths_.copy(of_class, to_host, bytes);
  TaskTemplate t;
  t.duration = cost.duration;
  t.category = Category::offload_comm;
  t.lane = t.partner_lane = to_host ? Lane::to_host : Lane::from_host;
  t.name = name;
  t.effects = builder_.add_effects(effects);
  t.bytes_sent = bytes;
  if (!cost.transfer.phases.empty()) t.transfer = builder_.add_transfer(cost.transfer);
  t.calls = builder_.add_calls({&cost.call, 1});
  return builder_.add_template(t);
}

std::vector<DataCall> Offloading::copies(std::int32_t rank, int stage, PassKind kind, int pipe,
                                         std::int32_t micro_batch) {
  std::vector<DataCall> calls;
  const std::int32_t host = class_of(rank);
  const std::uint32_t received = stages_.pass(rank, stage, kind, pipe).received;
  const auto behind = [&](std::uint32_t steps) { return steps == 0 ? 0 : steps + received; };
  if (fetched_ && kind != PassKind::weight_gradient) {
    const int ahead =
        1 + (input_.stack.communication.overlap_data ? static_cast<int>(input_.stack.communication.prefetch) : 0);
    for (const LayerRange& range : layer_ranges(stages_.steps(stage, kind))) {
      const std::int64_t bytes = fetched_.bytes(stages_.stage(stage), range.layer);
      if (bytes == 0) continue;
      const auto [it, fresh] = plain_.try_emplace({host, false, bytes, bytes});
      if (fresh)
        it->second = copy(host, false, {bytes}, "fetch weights", {{kNone, false, MemoryClass::buffers, {}, bytes}});
      calls.push_back({true, behind(range.begin), Activity::fetch, it->second, ahead});
      calls.back().move = DataCall::Move::weights;
    }
  }
  if (input_.offload.activations <= 0) return calls;
  const bool out = kind == PassKind::forward;
  for (const Held& held : this->held(stage, kind)) {
    const auto [it, fresh] = activations_.try_emplace({host, stages_.alike(stage), kind, held.position, out});
    if (fresh) {
      std::vector<MemoryEffect> effects;
      for (const auto& [tensor, bytes] : held.tensors)
        effects.push_back({kNone, out, MemoryClass::activations, {}, out ? -bytes : bytes, tensor});
      it->second = copy(host, out, {held.bytes}, out ? "offload activations" : "fetch activations", effects);
    }
    DataCall call{!out, behind(held.position), out ? Activity::offload : Activity::fetch, it->second, 1};
    call.move = DataCall::Move::activations;
    call.stage = stage, call.micro_batch = micro_batch, call.pipe = static_cast<std::uint8_t>(pipe);
    calls.push_back(call);
  }
  std::ranges::stable_sort(calls, {}, &DataCall::position);
  return calls;
}

// Shards of gradients stand on the GPU until they have left; whole ones stay.
std::optional<DataCall> Offloading::gradients_out(std::int32_t of_class, std::int64_t parameters,
                                                  std::uint32_t position, Parameters of) {
  const std::int64_t out = layout::kept_off(ceil_div(parameters, input_.layout.shards(of)), input_.offload.optimizer);
  const std::int64_t bytes = checked_mul(out, input_.stack.optimizer.gradient_bytes);
  if (bytes == 0) return std::nullopt;
  const std::int64_t buffer = input_.layout.shards_gradients(of) ? bytes : 0;
  const auto [it, fresh] = plain_.try_emplace({of_class, true, bytes, buffer});
  if (fresh)
    it->second =
        copy(of_class, true, {bytes}, "offload gradients",
             {{kNone, false, MemoryClass::buffers, {}, buffer}, {kNone, true, MemoryClass::buffers, {}, -buffer}});
  DataCall call{false, position, Activity::offload, it->second};
  call.move = DataCall::Move::gradients;
  return call;
}

// Of what the host updates, the parameters whose weights the GPU holds.
std::int64_t Offloading::weights_back(int pipeline_rank) const {
  std::int64_t back = 0;
  for (const Parameters of : layout::kParameterKinds) {
    const std::int64_t held = input_.layout.zero == layout::Zero::parameters ? 1 : input_.layout.shards(of);
    back +=
        std::max<std::int64_t>(0, updated_on_host(pipeline_rank, of) - ceil_div(kept_weights(pipeline_rank, of), held));
  }
  return back;
}

// Bytes of the host's memory for each parameter: the gradient is read, states are read and written, and so are weights
// where they are fp32 and their own masters; else a copy of them as the GPU holds it is written.
std::int64_t Offloading::traffic_of_update() const {
  const std::int64_t weights =
      input_.state.weight_bytes >= 4 ? 2 * input_.state.weight_bytes : input_.state.gathered_bytes;
  return input_.stack.optimizer.gradient_bytes + 2 * input_.state.optimizer_bytes + weights;
}

// Gradients leave in the last backward pass of a stage, in each of a run, or in every one; in how many calls is not
// told here, but in no more than there are layers in all passes.
MovedState Offloading::moved(std::int32_t rank) {
  MovedState of;
  const layout::Coordinates& at = ranks_.at[static_cast<std::size_t>(rank)];
  const int p = at[layout::Dimension::pipeline];
  std::int64_t updated = 0, passes = 0, calls = 0;
  const schedule::Schedule& schedule = schedule_of(input_, at[layout::Dimension::data]);
  for (const schedule::Operation& op : schedule.order[static_cast<std::size_t>(p)]) {
    using schedule::OpKind;
    const auto visit = [&](int stage, PassKind kind) {
      if (kind == PassKind::forward)
        for (const Held& held : this->held(stage, kind)) of.activations += held.bytes;
      if (kind == PassKind::weight_gradient || kind == PassKind::backward)
        ++passes, calls += std::ssize(stages_.steps(stage, kind));
      if (kind == PassKind::weight_gradient) return;
      for (const LayerRange& range : layer_ranges(stages_.steps(stage, kind)))
        of.fetched_weights += fetched_.bytes(stages_.stage(stage), range.layer);
    };
    if (op.kind == OpKind::forward || op.kind == OpKind::overlapped) visit(op.stage, PassKind::forward);
    if (op.kind == OpKind::overlapped) visit(op.backward_stage, PassKind::backward);
    if (op.kind == OpKind::backward) visit(op.stage, PassKind::backward);
    if (op.kind == OpKind::input_gradient) visit(op.stage, PassKind::input_gradient);
    if (op.kind == OpKind::weight_gradient) visit(op.stage, PassKind::weight_gradient);
  }
  for (const Parameters kind : layout::kParameterKinds) updated += updated_on_host(p, kind);
  const std::int64_t width = input_.stack.optimizer.gradient_bytes;
  const std::int64_t stages = std::ssize(stages_.on_rank(p));
  const bool often = input_.layout.shards_gradients();
  if (updated > 0) {
    of.least_gradients = std::max<std::int64_t>(0, updated - stages) * width;
    of.gradients =
        (updated * (often ? std::max<std::int64_t>(1, passes / std::max<std::int64_t>(1, stages)) : 1) + calls) * width;
    if (often && !input_.layout.reduces_after_runs)
      of.least_gradients =
          std::max<std::int64_t>(0, updated * (passes / std::max<std::int64_t>(1, stages)) - calls) * width;
  }
  const bool whole = input_.layout.gathers_parameters() || input_.layout.shards() == 1;
  of.updated_weights = checked_mul(weights_back(p), whole ? input_.state.weight_bytes : input_.state.gathered_bytes);
  return of;
}

double Offloading::at_most(std::int32_t rank, std::int64_t micro_batches) {
  const std::int32_t host = class_of(rank);
  const int p = ranks_.at[static_cast<std::size_t>(rank)][layout::Dimension::pipeline];
  const auto time = [&](bool out, std::int64_t bytes) {
    return static_cast<double>(paths_.copy(host, out, {bytes}).duration.value);
  };
  double sum = 0;
  std::int64_t updated = 0;
  for (const Parameters of : layout::kParameterKinds) updated += updated_on_host(p, of);
  for (const int s : stages_.on_rank(p)) {
    double pass = 0;
    for (const LayerRange& range : layer_ranges(stages_.steps(s, PassKind::forward)))
      if (const std::int64_t bytes = fetched_.bytes(stages_.stage(s), range.layer); bytes > 0)
        pass += 3 * time(false, bytes);
    if (input_.offload.activations > 0)
      for (const Held& held : this->held(s, PassKind::forward))
        pass += time(true, held.bytes) + time(false, held.bytes);
    const std::int64_t gradients =
        stages_.parameters_of_rank(p, Parameters::dense) + stages_.parameters_of_rank(p, Parameters::experts);
    if (updated > 0) pass += 4 * time(true, checked_mul(gradients, input_.stack.optimizer.gradient_bytes));
    sum += pass * static_cast<double>(micro_batches);
  }
  if (updated == 0) return sum;
  return sum + static_cast<double>(paths_.update(host, {checked_mul(updated, traffic_of_update())}).value) +
         4 * time(false, checked_mul(updated, std::max(input_.state.weight_bytes, input_.state.gathered_bytes)));
}

TaskId Offloading::update(DeviceIndex device, std::int32_t rank, TaskId ready, std::vector<TaskId>& sent,
                          bool sent_in_passes) {
  const int p = builder_.device(device).pipeline_rank();
  const std::int32_t host = class_of(rank);
  std::int64_t updated = 0, parts = 0;
  for (const Parameters of : layout::kParameterKinds) updated += updated_on_host(p, of);
  for (const int s : stages_.on_rank(p)) parts += stages_.span(s).layers;
  parts = std::max<std::int64_t>(1, parts);
  const std::int64_t back = weights_back(p);
  const bool whole = input_.layout.gathers_parameters() || input_.layout.shards() == 1;
  const std::int64_t width = whole ? input_.state.weight_bytes : input_.state.gathered_bytes;
  const auto follow = [&](TaskId task, TaskId before) {
    if (before != kNone) builder_.add_edge(before, task);
  };
  const auto task_of = [&](TemplateId of, Activity activity) {
    return builder_.add_task(of, Participant{device, builder_.add_operation({device, activity, 0, -1, -1})});
  };
  if (!sent_in_passes) {
    const Bytes all{checked_mul(updated, input_.stack.optimizer.gradient_bytes)};
    const auto [it, fresh] = plain_.try_emplace({host, true, all.value, -1});
    if (fresh) it->second = copy(host, true, all, "offload gradients", {});
    const TaskId out = task_of(it->second, Activity::offload);
    follow(out, ready);
    sent.push_back(out);
  }
  TaskId last = kNone;
  for (std::int64_t i = 0; i < parts; ++i) {
    const auto part = [&](std::int64_t of) { return of * (i + 1) / parts - of * i / parts; };
    const std::int64_t bytes = checked_mul(part(updated), traffic_of_update());
    const auto [it, fresh] = updates_.try_emplace({host, bytes});
    if (fresh) {
      TaskTemplate t;
      t.duration = paths_.update(host, {bytes});
      t.category = Category::cpu_optimizer;
      t.lane = t.partner_lane = Lane::cpu;
      t.name = "optimizer on the host";
      it->second = builder_.add_template(t);
    }
    last = task_of(it->second, Activity::cpu_optimizer);
    if (i == 0) {
      follow(last, ready);
      for (const TaskId before : sent) follow(last, before);
    }
    const std::int64_t weights = checked_mul(part(back), width);
    if (weights == 0) continue;
    const auto [to, first] = plain_.try_emplace({host, false, weights, 0});
    if (first) to->second = copy(host, false, {weights}, "fetch updated weights", {});
    const TaskId fetched = task_of(to->second, Activity::fetch);
    follow(fetched, last);
    last = fetched;
  }
  sent.clear();
  return last;
}

}  // namespace orrery::program
