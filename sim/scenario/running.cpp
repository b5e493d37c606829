#include "running.hpp"

#include <algorithm>

namespace orrery::scenario {

DType compute_type(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return DType::fp32;
    case Precision::tf32:
      return DType::tf32;
    case Precision::fp16:
      return DType::fp16;
    case Precision::bf16:
      return DType::bf16;
    case Precision::fp8:
    case Precision::mxfp8:
      return DType::fp8;
    case Precision::nvfp4:
      return DType::fp4;
  }
  internal_error("unknown precision");
}

namespace {

// As gathered and used.
std::int64_t weight_bytes(const Scenario& s) {
  return s.training.weight_bytes.value_or(is_fp32(s.training.precision) ? 4 : 2);
}

std::int64_t gradient_bytes(const Scenario& s) {
  return s.training.gradient_bytes.value_or(s.stack.optimizer.gradient_bytes);
}

// Gradients, and under FSDP parameters, stay whole through the step: only the optimizer is sharded.
bool keeps_whole(const Scenario& s) {
  const cost::StackCommunication& c = s.stack.communication;
  if (s.layout.zero == layout::Zero::gradients && c.gradient_shards == cost::GradientShards::at_end) return true;
  return s.layout.zero >= layout::Zero::gradients && s.layout.pipeline > 1 && !c.reshard_in_pipeline;
}

}  // namespace

// A bias on the scores is for unfused attention: fused kernels take none (FlashAttention-2).
layout::AttentionKind attention_of(const Scenario& s) {
  using A = layout::AttentionKind;
  const std::vector<A>& there = s.stack.kernels.attention;
  const bool biased = s.model.position == model::Position::relative_bias;
  const bool has_unfused = std::find(there.begin(), there.end(), A::unfused) != there.end();
  return s.training.attention.value_or(biased && has_unfused ? A::unfused : there.front());
}

layout::PassOptions pass_options(const Scenario& s) {
  const Training& t = s.training;
  layout::PassOptions o;
  o.sequence_length = t.sequence_length;
  o.decoder_sequence_length = s.lengths().decoder;
  o.micro_batch = t.micro_batch;
  o.compute = compute_type(t.precision);
  o.activation = is_fp32(t.precision) ? DType::fp32 : t.precision == Precision::fp16 ? DType::fp16 : DType::bf16;
  o.recompute = t.recompute;
  o.recompute_modules = layout::modules_of(t.recompute_modules);
  o.recompute_every = t.recompute_every;
  o.recompute_method = t.recompute_method;
  o.recompute_num_layers = t.recompute_num_layers;
  o.attention = attention_of(s);
  o.gradient_bytes = gradient_bytes(s);
  o.compiled = t.compiled;
  o.kernels = s.stack.kernels;
  o.calls = s.stack.communication;
  o.experts = s.stack.experts;
  o.routing = {t.routing.power_law.value_or(0), t.routing.seed, t.routing.loads, t.capacity.value_or(0),
               t.pad_to_capacity};
  return o;
}

// Bytes per parameter between steps. fp32 training: 4 + gradient + two moments (8). Mixed precision: 16-bit weights,
// gradient, fp32 masters and moments (12), so 16 or 18. Where the parameters are fp32 themselves (4 + 4 + 8 = 16) they
// are the masters; a 16-bit copy stays only where it is whole and they are sharded.
layout::StateWidths state_widths(const Scenario& s) {
  const bool fp32 = is_fp32(s.training.precision);
  const layout::Layout layout = running_layout(s);
  const bool whole_copy = layout.shards() > 1 && layout.zero != layout::Zero::parameters;
  const bool masters = !fp32 && (!s.stack.optimizer.fp32_parameters || whole_copy);
  layout::StateWidths state;
  state.gathered_bytes = weight_bytes(s);
  state.weight_bytes = masters || fp32 ? state.gathered_bytes : s.training.weight_bytes.value_or(4);
  state.gradient_bytes = gradient_bytes(s);
  state.optimizer_bytes = s.training.optimizer_bytes.value_or(masters ? 12 : 8);
  if (state.gradient_bytes > 2 && s.layout.gradient_ranks() > 1)
    state.gradient_bytes += s.stack.optimizer.held_gradient_bytes;
  return state;
}

layout::Layout running_layout(const Scenario& s) {
  layout::Layout layout = s.layout;
  if (keeps_whole(s)) layout.zero = layout::Zero::optimizer;
  layout.reduces_after_runs = layout.zero == layout::Zero::gradients &&
                              s.stack.communication.gradient_shards == cost::GradientShards::each_group;
  return layout;
}

cost::Stack running_stack(const Scenario& s) {
  cost::Stack stack = s.stack;
  cost::StackCommunication& c = stack.communication;
  c.overlap_data = s.training.overlap_data.value_or(c.overlap_data);
  c.overlap_tensor = s.training.overlap_tensor.value_or(c.overlap_tensor);
  c.overlap_context = s.training.overlap_context.value_or(c.overlap_context);
  stack.optimizer.gradient_bytes = gradient_bytes(s);
  cost::StackLaunch& l = stack.launch;
  if (l.mode == cost::LaunchMode::graph) l = {.mode = l.mode, .graphs = {}, .per_step = l.per_step};
  for (Time cost::StackLaunch::*each :
       {&cost::StackLaunch::per_kernel, &cost::StackLaunch::per_kernel_backward, &cost::StackLaunch::per_expert_kernel,
        &cost::StackLaunch::per_collective, &cost::StackLaunch::per_collective_rank,
        &cost::StackLaunch::per_micro_batch, &cost::StackLaunch::per_step})
    (l.*each).value = ceil_div(checked_mul((l.*each).value, s.cluster.host_percent), 100);
  const bool pipeline_spans_nodes = s.layout.pipeline > 1 && s.gpus() > s.cluster.gpus_per_node;
  if (!pipeline_spans_nodes) l.per_collective_rank = {};
  return stack;
}

cost::KernelModel running_kernels(const Scenario& s, const cost::KernelModel& of_gpu) {
  cost::KernelModel kernels = cost::with_stack(of_gpu, s.stack);
  if (s.training.precision == Precision::mxfp8) kernels.fp8_sustained *= kernels.mxfp8_rate;
  return kernels;
}

}  // namespace orrery::scenario
