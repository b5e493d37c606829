// Attention core of the heads of this rank as one kernel.
//
// Context parallel: ring attention (Liu et al. 2023), keys and values travel round the ring beside the kernel that uses
// the block before; backward they travel again, and their gradients with them, one hop more to come home. A causal mask
// is balanced by giving each rank one chunk from either end, so each of the blocks costs half, as its `causal` says. Or
// all-gather (Llama 3 report, §3.3.2): keys and values are gathered before, and again in the backward pass. Or
// all-to-all (Jacobs et al. 2023, DeepSpeed-Ulysses): each rank is given all positions of its share of the heads, and
// gives back its positions of all heads; what is kept are those heads, and what became of them beside what is given
// back. Or as PyTorch does (torch/distributed/tensor/experimental/_attention.py, rotation by all-gather): keys and
// values are gathered once, beside the block that is there, and attended block by block; backward their gradients
// travel.
#include <algorithm>

#include "attention_sinks.hpp"
#include "operators.hpp"

namespace orrery::layout {
namespace {

constexpr std::int64_t kFlashStatisticBytes = 4;  // log-sum-exp of each row, fp32
constexpr std::int64_t kWide = 4;                 // bytes of what blocks are merged in

// Query heads that each head of keys and values is written out for before attention (OperatorKernels::repeated_heads).
std::int64_t repeats(const Splitter& s) {
  const std::int64_t d = s.node().head_dim;
  return s.options.kernels.repeated_heads ? std::max<std::int64_t>((s.columns(0) / d) / (s.columns(1) / d), 1) : 1;
}

// FLOPs as if not causal: QKᵀ and AV forward, d and v features a pair; backward the scores once more, dP, dV, dQ and
// dK: 3 d + 2 v. A window takes off what is out of it (model::attention_pairs).
// `among`: ranks that share the heads, each with the positions of all of them.
model::Kernel kernel(const Splitter& s, bool backward, std::int64_t kv_sequence, std::int64_t among = 1) {
  const std::int64_t d = s.node().head_dim, v = s.node().value_dim, width = s.width();
  model::Kernel k;
  k.kind = backward ? model::KernelKind::attention_backward : model::KernelKind::attention_forward;
  k.dtype = k.out_dtype = s.options.activation;
  k.batch = s.rank.micro_batch, k.heads = s.columns(0) / d / among, k.kv_heads = s.columns(1) / d / among * repeats(s);
  k.head_dim = d, k.causal = s.node().causal;
  k.sequence_q = s.rank.sequence * among, k.sequence_kv = kv_sequence;
  const bool within = s.node().window > 0 && s.node().window < kv_sequence;
  if (within) k.window = static_cast<std::int32_t>(s.node().window), k.chunks = s.model.attention_chunks;
  if (v != d) k.value_dim = static_cast<std::int32_t>(v);
  const std::int64_t of_head =
      within ? model::attention_pairs(s.model, s.node().window, kv_sequence) : checked_mul(k.sequence_q, kv_sequence);
  k.flops = {
      checked_mul(checked_mul(of_head, s.rank.micro_batch * k.heads), backward ? 2 * (3 * d + 2 * v) : 2 * (d + v))};
  const std::int64_t query = s.values(0) * width, made = s.out_values(0) * width;
  const std::int64_t keys_values =
      s.rank.micro_batch * kv_sequence * (s.columns(1) + s.columns(2)) / among * width * repeats(s);
  // Forward: reads q, k, v, writes o. Backward: reads q, o, do, k, v, writes dq, dk, dv.
  k.bytes = {(backward ? 2 * query + 2 * made + 2 * keys_values : query + made + keys_values) +
             s.rank.tokens * among * k.heads * kFlashStatisticBytes};
  return k;
}

OpStep attend(const Splitter& s, bool backward, std::int64_t kv_sequence) {
  return {s.compute("attention", kernel(s, backward, kv_sequence))};
}

// Keys and values of this rank.
std::int64_t block_bytes(const Splitter& s) {
  return (s.values(1) + s.values(2)) * s.width() * repeats(s);
}

void whole(const Splitter& s, RankOp& op) {
  op.forward.push_back(attend(s, false, s.keys()));
  op.backward.push_back(attend(s, true, s.keys()));
}

void ring(const Splitter& s, RankOp& op) {
  const std::int64_t block = block_bytes(s), context = s.rank.context;
  const auto exchange = [&](std::int64_t bytes, std::uint32_t beside) {
    OpStep call{s.communicate("attention.ring", Collective::send_receive, bytes, Dimension::context)};
    call.step.beside = beside;
    return call;
  };
  for (std::int64_t i = 0; i < context; ++i) {
    // The next block arrives beside the kernel of this one, and the call behind it, if there is one.
    if (i + 1 < context) op.forward.push_back(exchange(block, i + 2 < context ? 2 : 1));
    op.forward.push_back(attend(s, false, s.rank.sequence));
  }
  for (std::int64_t i = 0; i < context; ++i) {
    const bool last = i + 1 == context;
    // Gradients of the block before travel on with the keys and values of the next.
    const std::int64_t bytes = (last ? 0 : block) + (i > 0 ? block : 0);
    op.backward.push_back(exchange(bytes, last ? 1 : 2));
    op.backward.push_back(attend(s, true, s.rank.sequence));
  }
  op.backward.push_back(exchange(block, 0));
  op.forward_workspace = {2 * block};                           // block in use and block arriving
  op.backward_workspace.push_back({{4 * block}, true, false});  // and their gradients
}

void gathered(const Splitter& s, RankOp& op) {
  const std::int64_t whole = block_bytes(s) * s.rank.context, sequence = s.rank.sequence * s.rank.context;
  const auto call = [&](Collective kind) {
    return OpStep{s.communicate("attention.keys_values", kind, whole, Dimension::context)};
  };
  op.forward.push_back(call(Collective::all_gather));
  op.forward.push_back(attend(s, false, sequence));
  op.backward.push_back(call(Collective::all_gather));
  op.backward.push_back(attend(s, true, sequence));
  op.backward.push_back(call(Collective::reduce_scatter));
  op.forward_workspace = {whole};
  op.backward_workspace.push_back({{2 * whole}, true, false});
}

// Gradients of keys and values are added to in fp32 and put side by side to be sent on; those of queries are added to.
OpStep add_gradients(const Splitter& s) {
  const std::int64_t keys_values = block_bytes(s) / s.width(), added = 2 * kWide + s.width();
  return {s.memory("attention.merge", added * (s.values(0) + keys_values) + 2 * kWide * keys_values, 4)};
}

// Each result is cast to fp32 and merged by o − sigmoid(l' − l)·(o − o'), kernel by kernel; before it keys and values
// are put side by side to be sent, though they are sent once. Ranks whose queries are half of those of a block merge
// half: the slowest counts, all wait for it in the calls.
OpStep merge(const Splitter& s, std::int64_t block) {
  const std::int64_t joined = block + 1 < s.rank.context ? 2 * block_bytes(s) : 0, cast = kWide + s.width();
  const std::int64_t merged = block == 0 ? 0 : 8 * kWide;  // two differences and the product: 3 + 2 + 3
  const std::int64_t back = block + 1 == s.rank.context ? cast : 0;
  return {s.memory("attention.merge", joined + (cast + merged + back) * s.out_values(0), block == 0 ? 2 : 8)};
}

void gathered_ring(const Splitter& s, RankOp& op) {
  const std::int64_t block = block_bytes(s), context = s.rank.context, gradients = block / s.width() * kWide;
  const auto call = [&](const char* name, Collective kind, std::int64_t bytes, std::uint32_t beside) {
    OpStep step{s.communicate(name, kind, bytes, Dimension::context)};
    step.step.beside = beside;
    return step;
  };
  const OpStep gather = call("attention.keys_values", Collective::all_gather, block * context, 1);
  op.forward.push_back(gather), op.backward.push_back(gather);
  for (std::int64_t i = 0; i < context; ++i) {
    op.forward.push_back(attend(s, false, s.rank.sequence));
    op.forward.push_back(merge(s, i));
    op.backward.push_back(attend(s, true, s.rank.sequence));
    op.backward.push_back(add_gradients(s));
    op.backward.push_back(call("attention.ring", Collective::send_receive, gradients, i + 1 < context ? 1 : 0));
  }
  // Gathered, and side by side; results in fp32: so far, of the block, their difference and its share. Backward the
  // gradients in 16 bits and in fp32, those of keys and values there, as they arrive and as they are sent.
  const std::int64_t queries = s.values(0);
  op.forward_workspace = {block * (context + 1) + 4 * kWide * s.out_values(0)};
  op.backward_workspace.push_back(
      {{block * (context + 2) + 3 * gradients + (s.width() + kWide) * queries}, true, false});
}

void by_heads(const Splitter& s, RankOp& op) {
  const std::int64_t in = s.values(0) * s.width() + block_bytes(s), out = s.out_values(0) * s.width(),
                     all = s.rank.sequence * s.rank.context;
  const auto exchange = [&](const char* name, std::int64_t bytes) {
    return OpStep{s.communicate(name, Collective::all_to_all, bytes, Dimension::context)};
  };
  const auto attend_all = [&](bool backward) {
    return OpStep{s.compute("attention", kernel(s, backward, all, s.rank.context))};
  };
  op.forward = {exchange("attention.to_heads", in), attend_all(false), exchange("attention.to_positions", out)};
  op.backward = {exchange("attention.to_positions", out), attend_all(true), exchange("attention.to_heads", in)};
  op.forward_workspace = {in};
  op.backward_workspace.push_back({{in + out}, true, false});
}

// Keys and values as they are attended to, inputs 1 and 2.
struct Attended {
  TensorId keys, values;
};

Attended repeat_heads(Splitter& s) {
  const std::int64_t times = repeats(s);
  const Attended one{s.in(1), s.in(2)};
  if (times == 1) return one;
  RankOp op = s.start();
  op.attention_core = true;
  const Attended all{s.tensor(s.values(1) * times), s.tensor(s.values(2) * times)};
  op.in = {one.keys, one.values}, op.gradients = {{one.keys}, {one.values}}, op.out = {all.keys, all.values};
  const PassStep step = s.memory("attention.repeat_heads", (s.values(1) + s.values(2)) * s.width() + block_bytes(s), 2);
  op.forward.push_back({step}), op.backward.push_back({step});
  s.finish(std::move(op));
  return all;
}

void reads(RankOp& op, TensorId before, TensorId now) {
  std::ranges::replace(op.in, before, now);
  for (GradientOf& g : op.gradients)
    if (g.input == before) g.input = now;
}

}  // namespace

// Inputs: queries, keys, values, and relative scores where there are any.
void split_attention_flash(Splitter& s) {
  const Attended of = repeat_heads(s);
  RankOp op = s.start();
  reads(op, s.in(1), of.keys), reads(op, s.in(2), of.values);
  op.attention_core = true;
  const TensorId context = s.result(0);
  const TensorId statistics = s.tensor(s.rank.tokens * (s.columns(0) / s.node().head_dim), kFlashStatisticBytes);
  const bool heads_apart = s.rank.context > 1 && s.options.calls.context_exchange == ContextExchange::all_to_all;
  const TensorId attended = heads_apart ? s.tensor(s.out_values(0)) : context;
  op.out = {context, statistics};
  if (heads_apart) op.out.push_back(attended);
  op.keep_for_input = present({s.in(0), of.keys, of.values, attended, statistics});
  if (s.options.recompute == Recompute::selective_op)
    for (const TensorId kept : op.out) s.keep_always(kept);
  if (s.rank.context == 1)
    whole(s, op);
  else if (s.options.calls.context_exchange == ContextExchange::ring)
    ring(s, op);
  else if (s.options.calls.context_exchange == ContextExchange::all_gather)
    gathered(s, op);
  else if (s.options.calls.context_exchange == ContextExchange::gathered_ring)
    gathered_ring(s, op);
  else
    by_heads(s, op);
  for (OpStep& step : op.forward) step.makes = context;
  attention_sinks(s, op);
  s.finish(std::move(op));
}

}  // namespace orrery::layout
