// Linear layers split over tensor ranks (Shoeybi et al. 2019): qkv, fc1 and head hold columns, projection and fc2 hold
// rows.
//
// Forward communication: columns none, or all-gather of the input under sequence parallel; rows all-reduce, or
// reduce-scatter. Backward the conjugates. Under sequence parallel only the shard of the input is kept, and it is
// gathered again for the weight gradient beside the input-gradient product; the reduction of the input gradient runs
// beside the weight-gradient product (Korthikanti et al. 2022, §4.2.2; Megatron
// LinearWithGradAccumulationAndAsyncCommunication).
#include "tape_builder.hpp"

namespace orrery::layout {

using model::GemmLayout;

TapeBuilder::Linear TapeBuilder::linear(const char* name, std::int64_t in, std::int64_t out, bool bias) const {
  Linear l;
  l.name = name, l.in = in, l.out = out, l.bias = bias, l.type = o_.compute;
  return l;
}

model::Kernel TapeBuilder::weight_gemm(const Linear& linear) const {
  model::Kernel kernel = gemm(linear.out, linear.in, r_.tokens, GemmLayout::nt, linear.type);
  // FSDP reduces the gradient of each micro-batch: it is written, not accumulated.
  kernel.accumulate = !l_.reduces_in_each_pass() && o_.fused_gradient_accumulation;
  if (kernel.accumulate && o_.gradient_bytes == 4) kernel.out_dtype = DType::fp32;
  kernel.bytes = {checked_mul(r_.tokens, linear.out + linear.in) * size_of(linear.type) +
                  checked_mul(linear.out, linear.in) * size_of(kernel.out_dtype) * (kernel.accumulate ? 2 : 1)};
  return kernel;
}

// What the weight gradient will read of the input `op.in[0]`, and the cast to fp8: read once, written as it is and
// transposed, the transposed copy being the one kept (Transformer Engine on Hopper).
void TapeBuilder::keep_input(RankOp& op, const Linear& linear, std::int64_t rows) {
  const std::int64_t values = rows * linear.in;
  if (linear.type == DType::fp8) {
    const std::int64_t width = linear.input_cast_fused ? 2 : activation_bytes() + 2;
    op.forward.push_back({memory("fp8.cast", width * values)});
    if (o_.fp8_saves_input) {
      op.out.push_back(tensor(values, 1));
      op.keep_for_weight = {op.out.back()};
      return;
    }
  }
  op.keep_for_weight = {op.in.front()};
}

void TapeBuilder::cast_gradient(RankOp& op, const Linear& linear, std::int64_t rows) const {
  if (linear.type != DType::fp8) return;
  const std::int64_t values = rows * linear.out;
  op.backward.push_back({memory("fp8.cast", (activation_bytes() + 2) * values)});
  op.backward_workspace.push_back({{2 * values}, true, true});
}

void TapeBuilder::weight_gradient(RankOp& op, const Linear& linear, std::int64_t bias_rows) const {
  PassStep step = compute(linear.name, weight_gemm(linear));
  const std::int64_t weights = checked_mul(linear.in, linear.out);
  if (linear.bias)
    op.backward.push_back({memory("bias.weight_gradient", bias_rows * linear.out * activation_bytes()), Phase::weight});
  const std::int64_t ready = linear.own_gradient ? weights + (linear.bias ? linear.out : 0) : 0;
  const bool apart = !o_.fused_gradient_accumulation && !l_.reduces_in_each_pass();
  if (!apart) step.gradients_ready = ready;
  op.backward.push_back({step, Phase::weight});
  if (apart) {
    op.backward.push_back(
        {memory("weight.add_gradient", weights * (activation_bytes() + 2 * o_.gradient_bytes)), Phase::weight});
    op.backward.back().step.gradients_ready = ready;
    op.backward_workspace.push_back({{weights * activation_bytes()}, false, true});
  }
  // The head is no layer of Transformer Engine: its placeholder lives as long as the step.
  if (o_.gradient_placeholders && layer_ == m_.layers)
    op.backward_workspace.push_back({{checked_mul(linear.in, linear.out) * activation_bytes()}, false, true});
}

void TapeBuilder::column_forward(RankOp& op, const std::vector<Linear>& linears) {
  const Linear& first = linears.front();
  keep_input(op, first, r_.shard_tokens);
  if (r_.sequence_parallel) {
    const std::int64_t gathered = checked_mul(r_.tokens, first.in) * gathered_bytes(first);
    const int at = static_cast<int>(op.forward.size());
    op.forward.push_back({communicate(first.name, Collective::all_gather, gathered), Phase::input, kNextStep, at + 1});
    if (o_.regather_in_backward) {
      op.forward_workspace = {gathered};
    } else {
      op.out.push_back(tensor(r_.tokens * first.in, gathered_bytes(first)));
      op.keep_for_weight = {op.out.back()};
    }
  }
  for (std::size_t i = 0; i < linears.size(); ++i) {
    const Linear& l = linears[i];
    op.forward.push_back({compute(l.name, gemm(r_.tokens, l.out, l.in, GemmLayout::tn, l.type))});
    op.forward.back().makes = op.weight_reads_gradient_of[i];
  }
}

void TapeBuilder::column_backward(RankOp& op, const std::vector<Linear>& linears) {
  const Linear& first = linears.front();
  const std::int64_t values = checked_mul(r_.tokens, first.in), width = activation_bytes();
  const bool regather = r_.sequence_parallel && o_.regather_in_backward;
  for (const Linear& l : linears) cast_gradient(op, l, r_.tokens);
  const std::size_t gather_at = op.backward.size();
  if (regather) {
    op.backward.push_back(
        {communicate(first.name, Collective::all_gather, values * gathered_bytes(first)), Phase::weight});
    op.backward_workspace.push_back({{values * gathered_bytes(first)}, false, true});
  }
  for (std::size_t i = 0; i < linears.size(); ++i) {
    const Linear& l = linears[i];
    op.backward.push_back({compute(l.name, gemm(r_.tokens, l.in, l.out, GemmLayout::nn, l.type))});
    if (i > 0) op.backward.push_back({memory("input.add_gradient", 3 * width * values)});
  }
  if (linears.size() > 1) op.backward_workspace.push_back({{width * values}, true, false});
  if (tensor_parallel()) {
    const int at = static_cast<int>(op.backward.size());
    const Collective kind = r_.sequence_parallel ? Collective::reduce_scatter : Collective::all_reduce;
    op.backward.push_back({communicate(first.name, kind, width * values), Phase::input, kAfterOperator, at - 1});
    if (r_.sequence_parallel) op.backward_workspace.push_back({{width * values}, true, false});
  }
  if (regather) op.backward[gather_at].needed_at = static_cast<int>(op.backward.size());
  for (const Linear& l : linears) weight_gradient(op, l, r_.tokens);
}

std::vector<TensorId> TapeBuilder::column_linear(const std::vector<Linear>& linears, TensorId x) {
  RankOp op = start(linears.front().name);
  op.in = {x};
  op.gradients = {{x}};
  std::vector<TensorId> outputs;
  for (const Linear& l : linears) {
    outputs.push_back(tensor(r_.tokens * l.out));
    if (l.keep_output) keep_always(outputs.back());
  }
  op.out = op.weight_reads_gradient_of = outputs;
  column_forward(op, linears);
  column_backward(op, linears);
  finish(std::move(op));
  return outputs;
}

void TapeBuilder::row_forward(RankOp& op, const Linear& linear) {
  keep_input(op, linear, r_.tokens);
  const int product = static_cast<int>(op.forward.size());
  op.forward.push_back({compute(linear.name, gemm(r_.tokens, linear.out, linear.in, GemmLayout::tn, linear.type))});
  if (linear.keep_output || !tensor_parallel()) op.forward.back().makes = op.out.front();
  if (!tensor_parallel()) return;
  const std::int64_t bytes = checked_mul(r_.tokens, linear.out) * activation_bytes();
  const Collective kind = r_.sequence_parallel ? Collective::reduce_scatter : Collective::all_reduce;
  op.forward.push_back({communicate(linear.name, kind, bytes), Phase::input, kNextStep, product, op.out.front()});
  if (r_.sequence_parallel) op.forward_workspace = {bytes};
}

void TapeBuilder::row_backward(RankOp& op, const Linear& linear) {
  cast_gradient(op, linear, r_.shard_tokens);
  if (r_.sequence_parallel) {
    const std::int64_t bytes = checked_mul(r_.tokens, linear.out) * gathered_bytes(linear);
    const int at = static_cast<int>(op.backward.size());
    op.backward.push_back({communicate(linear.name, Collective::all_gather, bytes), Phase::input, kNextStep, at + 1});
    op.backward_workspace.push_back({{bytes}, true, true});
  } else {
    op.weight_reads_gradient_of = {op.out.front()};
  }
  op.backward.push_back({compute(linear.name, gemm(r_.tokens, linear.in, linear.out, GemmLayout::nn, linear.type))});
  weight_gradient(op, linear, r_.shard_tokens);
}

void TapeBuilder::row_linear(const Linear& linear) {
  RankOp op = start(linear.name);
  op.in = {branch_};
  op.gradients = {{branch_}};
  op.out = {tensor(r_.shard_tokens * linear.out)};
  if (linear.keep_output || (o_.recompute == Recompute::selective_op && tensor_parallel())) keep_always(op.out.front());
  row_forward(op, linear);
  row_backward(op, linear);
  if (linear.bias) tape_.replicated_parameters += linear.out;
  branch_ = finish(std::move(op));
}

// selective_op keeps every second product, counted within the layer: q, v, gate (or fc1), and fc2 where it is the
// seventh (torchtitan, _apply_ac_to_transformer_block: of `mm` every second is recomputed).
void TapeBuilder::qkv() {
  const std::int64_t q = r_.heads * r_.head_dim, kv = r_.kv_heads * r_.head_dim;
  const bool with_bias = m_.bias || m_.qkv_bias, selective = o_.recompute == Recompute::selective_op;
  std::vector<Linear> parts{linear("qkv", m_.hidden, q, with_bias), linear("qkv", m_.hidden, kv, with_bias),
                            linear("qkv", m_.hidden, kv, with_bias)};
  parts[0].keep_output = parts[2].keep_output = selective;
  for (Linear& l : parts) l.input_cast_fused = o_.fused_norm;
  if (separate()) {
    const std::vector<TensorId> out = column_linear(parts, branch_);
    query_ = out[0], key_ = out[1], value_ = out[2];
    return;
  }
  // One product, whose result is seen as three tensors.
  parts[0].out = q + 2 * kv;
  column_linear({parts[0]}, branch_);
  RankOp& op = tape_.ops.back();
  const TensorId whole = op.out.front();
  tape_.tensors[static_cast<std::size_t>(whole)] = {r_.tokens * q * activation_bytes()};
  query_ = whole, key_ = tensor(r_.tokens * kv), value_ = tensor(r_.tokens * kv);
  op.out.insert(op.out.end(), {key_, value_});
  op.weight_reads_gradient_of = {query_, key_, value_};
}

void TapeBuilder::projection() {
  row_linear(linear("projection", r_.heads * r_.head_dim, m_.hidden, m_.bias));
}

void TapeBuilder::fc1() {
  Linear one = linear("fc1", m_.hidden, r_.ffn, m_.bias);
  one.keep_output = o_.recompute == Recompute::selective_op;
  one.input_cast_fused = o_.fused_norm;
  if (m_.gated() && separate()) {
    Linear second = one;
    second.keep_output = false;
    const std::vector<TensorId> out = column_linear({one, second}, branch_);
    gate_ = out[0], up_ = out[1];
    return;
  }
  if (m_.gated()) one.out *= 2;
  gate_ = up_ = column_linear({one}, branch_).front();
}

void TapeBuilder::fc2() {
  Linear two = linear("fc2", r_.ffn, m_.hidden, m_.bias);
  two.input_cast_fused = o_.fused_bias_activation;
  two.keep_output = o_.recompute == Recompute::selective_op && m_.gated();
  row_linear(two);
}

void TapeBuilder::head(const model::Operator&) {
  Linear out = linear("head", m_.hidden, r_.vocab, false);
  out.type = o_.activation;  // fp8 covers the layers, not the head
  out.own_gradient = !(m_.tied_embeddings && span_.embedding);
  branch_ = column_linear({out}, branch_).front();
}

}  // namespace orrery::layout
