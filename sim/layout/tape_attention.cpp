// Attention core of the heads of this rank. Unfused: scores, softmax and dropout written to memory; flash: one kernel.
//
// Context parallel: ring attention (Liu et al. 2023), keys and values travel round the ring beside the kernel that uses
// the block before; backward they travel again, and their gradients with them, one hop more to come home. A causal mask
// is balanced by giving each rank one chunk from either end, so each of the blocks costs half, as its `causal` says. Or
// all-gather (Llama 3 report, §3.3.2): keys and values are gathered before, and again in the backward pass.
#include "tape_builder.hpp"

namespace orrery::layout {

using model::GemmLayout;

namespace {
constexpr std::int64_t kFlashStatisticBytes = 4;  // log-sum-exp of each row, fp32
constexpr std::int64_t kSoftmaxBatches = 4;       // batches per block from 256 keys on (scaled_masked_softmax.h)
}  // namespace

// Unfused attention over context ranks gathers keys and values; grouped keys and values are repeated for each head.
void TapeBuilder::gather_keys_values() {
  const std::int64_t width = activation_bytes();
  const std::int64_t local = r_.tokens * r_.kv_heads * r_.head_dim, whole = local * r_.context;
  const std::int64_t repeated = whole / r_.kv_heads * r_.heads;
  if (r_.context == 1 && r_.heads == r_.kv_heads) return;
  RankOp op = start("attention.keys_values");
  op.attention_core = true;
  op.in = {key_, value_}, op.gradients = {{key_}, {value_}};
  op.out = {tensor(repeated), tensor(repeated)};
  if (r_.context > 1) {
    op.forward.push_back(
        {communicate("attention.keys_values", Collective::all_gather, 2 * width * whole, StepGroup::context)});
  }
  if (repeated > whole) {
    op.forward.push_back({memory("attention.repeat_heads", 2 * width * (whole + repeated), 2)});
    op.backward.push_back({memory("attention.repeat_heads", 2 * width * (whole + repeated), 2)});
  }
  if (r_.context > 1)
    op.backward.push_back(
        {communicate("attention.keys_values", Collective::reduce_scatter, 2 * width * whole, StepGroup::context)});
  key_ = op.out[0], value_ = op.out[1];
  finish(std::move(op));
}

// Transformer-XL (Dai et al. 2019): the encodings, constants, are projected; queries times them is added to the scores.
void TapeBuilder::relative_positions() {
  RankOp op = start("relative_positions");
  Linear projection = linear(op.name, m_.hidden, r_.heads * r_.head_dim, false);
  projection.type = o_.activation;
  op.out = op.weight_reads_gradient_of = {tensor(r_.tokens * projection.out)};
  op.forward.push_back(
      {compute(op.name, gemm(r_.tokens, projection.out, projection.in, GemmLayout::tn, o_.activation))});
  weight_gradient(op, projection, r_.tokens);
  relative_ = finish(std::move(op));
}

void TapeBuilder::attention_relative() {
  RankOp op = start("attention.relative");
  const std::int64_t batch = r_.micro_batch * r_.heads, q = r_.sequence, kv = q * r_.context, d = r_.head_dim;
  op.in = op.keep_for_input = {query_, relative_};
  op.gradients = {{query_}, {relative_}};
  op.out = {tensor(batch * q * kv)};
  op.forward.push_back({compute(op.name, gemm(q, kv, d, GemmLayout::tn, o_.activation, batch))});
  op.backward.push_back({compute(op.name, gemm(q, d, kv, GemmLayout::nn, o_.activation, batch))});
  op.backward.push_back({compute(op.name, gemm(kv, d, q, GemmLayout::nt, o_.activation, batch))});
  relative_ = finish(std::move(op));
}

// The operator adds the relative scores to its own: their gradient is a tensor as large.
void TapeBuilder::add_relative(RankOp& op) const {
  if (m_.position != model::Position::relative) return;
  op.in.push_back(relative_);
  op.gradients.push_back({relative_});
}

void TapeBuilder::attention_scores() {
  gather_keys_values();
  RankOp op = start("attention.scores");
  op.attention_core = true;
  const std::int64_t batch = r_.micro_batch * r_.heads, q = r_.sequence, kv = q * r_.context, d = r_.head_dim;
  op.in = op.keep_for_input = {query_, key_};
  op.gradients = {{query_}, {key_}};
  op.out = {tensor(batch * q * kv)};
  op.forward.push_back({compute(op.name, gemm(q, kv, d, GemmLayout::tn, o_.activation, batch))});
  op.backward.push_back({compute(op.name, gemm(q, d, kv, GemmLayout::nn, o_.activation, batch))});  // dQ = dS·K
  op.backward.push_back({compute(op.name, gemm(kv, d, q, GemmLayout::nt, o_.activation, batch))});  // dK = dSᵀ·Q
  branch_ = finish(std::move(op));
}

void TapeBuilder::attention_softmax() {
  RankOp op = start("attention.softmax");
  op.attention_core = true;
  const std::int64_t values = r_.micro_batch * r_.heads * r_.sequence * r_.sequence * r_.context,
                     width = activation_bytes();
  // The fused kernel takes `kSoftmaxBatches` rows of queries at a time and gives way where they do not divide
  // (Megatron-LM, FusedScaleMaskSoftmax.is_kernel_available: attn_batches % batch_per_block == 0).
  const bool divides = r_.micro_batch * r_.heads % kSoftmaxBatches == 0;
  const bool whole = (o_.fused_softmax && divides) || o_.compiled;
  op.in = {branch_}, op.gradients = {{branch_}};
  add_relative(op);
  op.out = op.keep_for_input = {tensor(values)};
  // Unfused, in fp32 (forward_torch_softmax): cast, scale, mask, softmax, cast; backward cast, softmax (reads gradient
  // and result), mask, scale, cast. Scores, their fp32 copy, the fp32 result, which is what autograd keeps, and the
  // 16-bit one are there at once: 12 bytes a score. Backward as many: gradient, result and new gradient in fp32.
  if (!whole) {
    op.out.push_back(tensor(values, 4));
    op.keep_for_input = {op.out.back()};
    op.forward_workspace = {4 * values};
    op.backward_workspace.push_back({{4 * values}, true, false});
  }
  op.forward.push_back({memory(op.name, (whole ? 2 * width : 2 * width + 32) * values, whole ? 1 : 5)});
  op.backward.push_back({memory(op.name, (whole ? 3 * width : 2 * width + 36) * values, whole ? 1 : 5)});
  branch_ = finish(std::move(op));
}

void TapeBuilder::attention_dropout() {
  RankOp op = start("attention.dropout");
  op.attention_core = true;
  const std::int64_t values = r_.micro_batch * r_.heads * r_.sequence * r_.sequence * r_.context,
                     width = activation_bytes();
  const TensorId mask = tensor(values, 1);
  op.in = {branch_}, op.gradients = {{branch_}};
  op.out = {tensor(values), mask};
  op.keep_for_input = {mask};
  op.forward.push_back({memory(op.name, (2 * width + 1) * values)});
  op.backward.push_back({memory(op.name, (2 * width + 1) * values)});
  branch_ = finish(std::move(op));
}

void TapeBuilder::attention_context() {
  RankOp op = start("attention.context");
  op.attention_core = true;
  const std::int64_t batch = r_.micro_batch * r_.heads, q = r_.sequence, kv = q * r_.context, d = r_.head_dim;
  op.in = op.keep_for_input = {branch_, value_};
  op.gradients = {{branch_}, {value_}};
  op.out = {tensor(batch * q * d)};
  op.forward.push_back({compute(op.name, gemm(q, d, kv, GemmLayout::nn, o_.activation, batch))});
  op.backward.push_back({compute(op.name, gemm(q, kv, d, GemmLayout::tn, o_.activation, batch))});  // dP = dO·Vᵀ
  op.backward.push_back({compute(op.name, gemm(kv, d, q, GemmLayout::nt, o_.activation, batch))});  // dV = Pᵀ·dO
  branch_ = finish(std::move(op));
}

// FLOPs as if not causal: QKᵀ and AV forward; backward also the scores once more, 2.5 times the forward pass.
model::Kernel TapeBuilder::flash_kernel(bool backward, std::int64_t kv_sequence) const {
  model::Kernel kernel;
  kernel.kind = backward ? model::KernelKind::attention_backward : model::KernelKind::attention_forward;
  kernel.dtype = kernel.out_dtype = o_.activation;
  kernel.batch = r_.micro_batch, kernel.heads = r_.heads, kernel.kv_heads = r_.kv_heads, kernel.head_dim = r_.head_dim;
  kernel.sequence_q = r_.sequence, kernel.sequence_kv = kv_sequence;
  const std::int64_t pairs = checked_mul(checked_mul(r_.sequence, kv_sequence), r_.micro_batch * r_.heads);
  kernel.flops = {checked_mul(pairs, (backward ? 10 : 4) * r_.head_dim)};
  const std::int64_t rows_q = r_.tokens * r_.heads, rows_kv = r_.micro_batch * kv_sequence * r_.kv_heads;
  const std::int64_t query = rows_q * r_.head_dim * activation_bytes(),
                     key = rows_kv * r_.head_dim * activation_bytes();
  // Forward: reads q, k, v, writes o. Backward: reads q, o, do, k, v, writes dq, dk, dv.
  kernel.bytes = {(backward ? 4 * query + 4 * key : 2 * query + 2 * key) + rows_q * kFlashStatisticBytes};
  return kernel;
}

void TapeBuilder::flash_whole(RankOp& op) const {
  op.forward.push_back({compute(op.name, flash_kernel(false, r_.sequence))});
  op.backward.push_back({compute(op.name, flash_kernel(true, r_.sequence))});
}

void TapeBuilder::flash_ring(RankOp& op) const {
  const std::int64_t block = 2 * r_.tokens * r_.kv_heads * r_.head_dim * activation_bytes();  // keys and values
  const auto exchange = [&](std::int64_t bytes) {
    return communicate("attention.ring", Collective::send_receive, bytes, StepGroup::context);
  };
  for (std::int64_t i = 0; i < r_.context; ++i) {
    // The next block arrives beside the kernel of this one and is needed by the kernel after it.
    const int at = static_cast<int>(op.forward.size()), needed = i + 2 < r_.context ? at + 3 : at + 2;
    if (i + 1 < r_.context) op.forward.push_back({exchange(block), Phase::input, needed});
    op.forward.push_back({compute(op.name, flash_kernel(false, r_.sequence))});
  }
  for (std::int64_t i = 0; i < r_.context; ++i) {
    const int at = static_cast<int>(op.backward.size());
    const bool last = i + 1 == r_.context;
    // Gradients of the block before travel on with the keys and values of the next.
    const std::int64_t bytes = (last ? 0 : block) + (i > 0 ? block : 0);
    op.backward.push_back({exchange(bytes), Phase::input, last ? at + 2 : at + 3});
    op.backward.push_back({compute(op.name, flash_kernel(true, r_.sequence))});
  }
  op.backward.push_back({exchange(block)});
  op.forward_workspace = {2 * block};                           // block in use and block arriving
  op.backward_workspace.push_back({{4 * block}, true, false});  // and their gradients
}

void TapeBuilder::flash_gathered(RankOp& op) const {
  const std::int64_t whole = 2 * r_.tokens * r_.context * r_.kv_heads * r_.head_dim * activation_bytes();
  const std::int64_t sequence = r_.sequence * r_.context;
  const PassStep gather = communicate("attention.keys_values", Collective::all_gather, whole, StepGroup::context);
  op.forward.push_back({gather});
  op.forward.push_back({compute(op.name, flash_kernel(false, sequence))});
  op.backward.push_back({gather});
  op.backward.push_back({compute(op.name, flash_kernel(true, sequence))});
  op.backward.push_back({communicate("attention.keys_values", Collective::reduce_scatter, whole, StepGroup::context)});
  op.forward_workspace = {whole};
  op.backward_workspace.push_back({{2 * whole}, true, false});
}

void TapeBuilder::attention_flash() {
  RankOp op = start("attention");
  op.attention_core = true;
  op.in = {query_, key_, value_};
  op.gradients = {{query_}, {key_}, {value_}};
  add_relative(op);
  const TensorId context = tensor(r_.tokens * r_.heads * r_.head_dim);
  const TensorId statistics = tensor(r_.tokens * r_.heads, kFlashStatisticBytes);
  op.out = {context, statistics};
  op.keep_for_input = {query_, key_, value_, context, statistics};
  if (o_.recompute == Recompute::selective_op) keep_always(context), keep_always(statistics);
  if (r_.context == 1)
    flash_whole(op);
  else if (o_.context_exchange == ContextExchange::ring)
    flash_ring(op);
  else
    flash_gathered(op);
  for (OpStep& step : op.forward) step.makes = context;
  branch_ = finish(std::move(op));
}

}  // namespace orrery::layout
