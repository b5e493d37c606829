#include "plan.hpp"

namespace orrery::scenario {
namespace {

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
      return DType::fp8;
  }
  internal_error("unknown precision");
}

program::MessageMode message_mode(cost::MessageKind kind) {
  switch (kind) {
    case cost::MessageKind::asynchronous:
      return program::MessageMode::asynchronous;
    case cost::MessageKind::serialised:
      return program::MessageMode::serialised;
    case cost::MessageKind::blocking:
      return program::MessageMode::rendezvous;
  }
  internal_error("unknown kind of message");
}

program::PostValidation post_validation(cost::PostValidationOf when) {
  switch (when) {
    case cost::PostValidationOf::never:
      return program::PostValidation::never;
    case cost::PostValidationOf::split_backward:
      return program::PostValidation::split_backward;
    case cost::PostValidationOf::always:
      return program::PostValidation::always;
  }
  internal_error("unknown kind of validation");
}

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

layout::PassOptions pass_options(const Scenario& s) {
  const Training& t = s.training;
  layout::PassOptions o;
  cost::apply(s.stack, o);
  o.sequence_length = t.sequence_length;
  o.micro_batch = t.micro_batch;
  o.compute = compute_type(t.precision);
  o.activation = is_fp32(t.precision) ? DType::fp32 : t.precision == Precision::fp16 ? DType::fp16 : DType::bf16;
  o.recompute = t.recompute;
  o.recompute_every = t.recompute_every;
  o.attention = t.attention.value_or(s.stack.kernels.attention.front());
  o.gradient_bytes = gradient_bytes(s);
  o.compiled = t.compiled;
  return o;
}

// Bytes per parameter between steps. fp32 training: 4 + gradient + two moments (8). Mixed precision: 16-bit weights,
// gradient, fp32 masters and moments (12), so 16 or 18. Where the parameters are fp32 themselves (4 + 4 + 8 = 16) they
// are the masters; a 16-bit copy stays only where it is whole and they are sharded.
layout::StatePlan state_plan(const Scenario& s) {
  const bool fp32 = is_fp32(s.training.precision);
  const layout::Layout layout = running_layout(s);
  const bool whole_copy = layout.shards() > 1 && layout.zero != layout::Zero::parameters;
  const bool masters = !fp32 && (!s.stack.optimizer.fp32_parameters || whole_copy);
  layout::StatePlan plan;
  plan.weight_bytes = masters || fp32 ? weight_bytes(s) : s.training.weight_bytes.value_or(4);
  plan.gradient_bytes = gradient_bytes(s);
  plan.optimizer_bytes = s.training.optimizer_bytes.value_or(masters ? 12 : 8);
  if (plan.gradient_bytes > 2 && s.layout.gradient_ranks() > 1)
    plan.gradient_bytes += s.stack.optimizer.held_gradient_bytes;
  return plan;
}

layout::Layout running_layout(const Scenario& s) {
  layout::Layout layout = s.layout;
  if (keeps_whole(s)) layout.zero = layout::Zero::optimizer;
  return layout;
}

program::ExecutionPlan execution_plan(const Scenario& s) {
  const cost::StackCommunication& c = s.stack.communication;
  program::ExecutionPlan e;
  e.overlap_data = s.training.overlap_data.value_or(c.overlap_data);
  e.overlap_gather = c.overlap_gather;
  e.overlap_tensor = s.training.overlap_tensor.value_or(c.overlap_tensor);
  e.overlap_context = s.training.overlap_context.value_or(c.overlap_context);
  e.messages = message_mode(c.messages);
  e.scatter_gather_messages = c.scatter_gather_messages;
  e.network_step = c.network_step;
  e.bucket_bytes = c.bucket.value;
  e.prefetch = static_cast<int>(c.prefetch);
  e.data_slowdown = {static_cast<std::int32_t>(c.data_slowdown_percent), 100};
  e.tensor_slowdown = {static_cast<std::int32_t>(c.tensor_slowdown_percent), 100};
  e.context_slowdown = {static_cast<std::int32_t>(c.context_slowdown_percent), 100};
  const cost::StackLaunch& l = s.stack.launch;
  const bool launches = l.mode != cost::LaunchMode::graph;
  if (launches) {
    e.launch_forward = l.per_kernel;
    e.launch_backward = l.per_kernel_backward;
    e.launch_collective = l.per_collective;
    const bool pipeline_spans_nodes = s.layout.pipeline > 1 && s.gpus() > s.cluster.gpus_per_node;
    if (pipeline_spans_nodes) e.launch_collective_rank = l.per_collective_rank;
    e.micro_batch_overhead = l.per_micro_batch;
  }
  e.blocking_launch = l.mode == cost::LaunchMode::blocking;
  e.step_overhead = l.per_step;
  e.optimizer_traffic = s.stack.optimizer.traffic;
  e.gradient_traffic = s.stack.optimizer.gradient_traffic;
  e.reduce_buffer_elements = s.stack.optimizer.reduce_buffer_elements;
  e.optimizer_copies = gradient_bytes(s) == 2 ? s.stack.optimizer.gradient_copy_bytes : 0;
  e.optimizer_launch = launches ? l.per_kernel * s.stack.optimizer.kernels : Time{};
  e.post_validation = post_validation(s.stack.optimizer.post_validation);
  e.embedding_reduce = c.embedding_reduce;
  e.pass_overlap_percent = static_cast<int>(c.pass_overlap_percent);
  e.weight_bytes = weight_bytes(s);
  e.gradient_bytes = gradient_bytes(s);
  return e;
}

}  // namespace orrery::scenario
