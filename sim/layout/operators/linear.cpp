#include "linear.hpp"

#include <algorithm>

#include "orrery/layout/grouped_product.hpp"

namespace orrery::layout {

using model::GemmLayout;

namespace {

Parameters kind_of(const Splitter& s) {
  return s.node().matrices > 1 ? Parameters::experts : Parameters::dense;
}

// Those that have any rows; where they are alike, as many rows as the others, rounded up.
std::int64_t met(const Linear& linear) {
  return linear.of_matrix.empty() ? linear.matrices : experts_met(linear.of_matrix);
}
std::int64_t rows_each(const Linear& linear) {
  return ceil_div(linear.tokens, std::max<std::int64_t>(met(linear), 1));
}

model::Kernel weight_gemm(const Splitter& s, const Linear& linear) {
  model::Kernel kernel = s.gemm(linear.out, linear.in, rows_each(linear), GemmLayout::nt, linear.type, met(linear));
  kernel.flops = {checked_mul(2 * linear.tokens, checked_mul(linear.out, linear.in))};
  // FSDP reduces the gradient of each micro-batch: it is written, not accumulated.
  kernel.accumulate = !s.layout.reduces_in_each_pass(kind_of(s)) && s.options.kernels.fused_gradient_accumulation;
  if (kernel.accumulate && s.options.gradient_bytes == 4) kernel.out_dtype = DType::fp32;
  const std::int64_t written = kernel.accumulate ? met(linear) : linear.matrices;  // of those without rows zeros
  kernel.bytes = {stored_bytes(linear.type, checked_mul(linear.tokens, linear.out + linear.in)) +
                  checked_mul(written * linear.out, linear.in) * size_of(kernel.out_dtype) *
                      (kernel.accumulate ? 2 : 1)};
  return kernel;
}

model::Kernel row_gemm(const Splitter& s, const Linear& linear, std::int64_t n, std::int64_t k, GemmLayout how) {
  if (!linear.of_matrix.empty()) return grouped_product(linear.of_matrix, n, k, linear.type, s.options.activation, how);
  model::Kernel kernel = s.gemm(rows_each(linear), n, k, how, linear.type, met(linear));
  kernel.flops = {checked_mul(2 * linear.tokens, checked_mul(n, k))};
  return kernel;
}

// So many values of an input, or of the gradient of a result, as they are gathered.
std::int64_t gathered_bytes(const Splitter& s, const Linear& linear, std::int64_t values) {
  return s.options.kernels.fp8_saves_input ? stored_bytes(linear.type, values) : values * s.width();
}

// The head is no layer of Transformer Engine, which gathers into tensors of its own.
bool in_gather_buffer(const Splitter& s) {
  return s.options.kernels.gather_buffer && s.in_last_part();
}

// A cast to fp8 reads what it casts once; one to nvfp4 before that for the largest value, of the tensor and, behind a
// Hadamard transform, of its transpose (Transformer Engine, NVFP4Quantizer; arXiv 2509.25149). Both write the result as
// it is and transposed. No operator before it writes nvfp4.
PassStep cast(const Splitter& s, DType to, std::int64_t values, bool fused) {
  const std::int64_t written = 2 * stored_bytes(to, values), read = s.width() * values;
  if (to == DType::fp4) return s.memory("fp4.cast", 2 * read + written, 2);
  return s.memory("fp8.cast", fused ? written : read + written);
}

// What the weight gradient will read of the input `op.in[0]`, and the cast, of which the transposed copy is kept
// (Transformer Engine), but where recompute drops the original (Megatron-LM: set_save_original_input).
void keep_input(Splitter& s, RankOp& op, const Linear& linear, std::int64_t rows) {
  const std::int64_t values = rows * linear.in;
  if (is_quantised(linear.type)) {
    op.forward.push_back({cast(s, linear.type, values, linear.input_cast_fused)});
    if (s.options.kernels.fp8_saves_input && !s.is_dropped(0)) {
      op.out.push_back(s.tensor(stored_bytes(linear.type, values), 1));
      op.keep_for_weight = {op.out.back()};
      return;
    }
  }
  op.keep_for_weight = op.in;
}

void cast_gradient(const Splitter& s, RankOp& op, const Linear& linear, std::int64_t rows) {
  if (!is_quantised(linear.type)) return;
  const std::int64_t values = rows * linear.out;
  op.backward.push_back({cast(s, linear.type, values, false)});
  op.backward_workspace.push_back({{2 * stored_bytes(linear.type, values)}, true, true});
}

void column_forward(Splitter& s, RankOp& op, const std::vector<Linear>& linears) {
  const Linear& first = linears.front();
  keep_input(s, op, first, s.rank.shard_tokens);
  if (s.rank.sequence_parallel) {
    const std::int64_t gathered = gathered_bytes(s, first, checked_mul(s.rank.tokens, first.in));
    op.forward.push_back({s.communicate(first.name, Collective::all_gather, gathered)});
    if (s.options.calls.regather_in_backward) {
      (in_gather_buffer(s) ? op.gather_buffer : op.forward_workspace) = {gathered};
    } else {
      op.out.push_back(s.tensor(gathered, 1));
      op.keep_for_weight = {op.out.back()};
    }
  }
  for (std::size_t i = 0; i < linears.size(); ++i) {
    const Linear& l = linears[i];
    op.forward.push_back({s.compute(l.name, s.gemm(s.rank.tokens, l.out, l.in, GemmLayout::tn, l.type))});
    op.forward.back().makes = op.weight_reads_gradient_of[i];
  }
}

void column_backward(Splitter& s, RankOp& op, const std::vector<Linear>& linears) {
  const Linear& first = linears.front();
  const std::int64_t values = checked_mul(s.rank.tokens, first.in), width = s.width();
  const bool regather = s.rank.sequence_parallel && s.options.calls.regather_in_backward;
  for (const Linear& l : linears) cast_gradient(s, op, l, s.rank.tokens);
  const std::size_t gather_at = op.backward.size();
  if (regather) {
    const std::int64_t gathered = gathered_bytes(s, first, values);
    op.backward.push_back({s.communicate(first.name, Collective::all_gather, gathered), Phase::weight});
    if (!in_gather_buffer(s)) op.backward_workspace.push_back({{gathered}, false, true});
  }
  for (std::size_t i = 0; i < linears.size(); ++i) {
    const Linear& l = linears[i];
    op.backward.push_back({s.compute(l.name, s.gemm(s.rank.tokens, l.in, l.out, GemmLayout::nn, l.type))});
    if (i > 0) op.backward.push_back({s.memory("input.add_gradient", 3 * width * values)});
  }
  if (linears.size() > 1) op.backward_workspace.push_back({{width * values}, true, false});
  if (s.tensor_parallel()) {
    const Collective kind = s.rank.sequence_parallel ? Collective::reduce_scatter : Collective::all_reduce;
    op.backward.push_back({s.communicate(first.name, kind, width * values)});
    if (s.rank.sequence_parallel) op.backward_workspace.push_back({{width * values}, true, false});
  }
  // The gather runs beside all before the weight gradients, the reduction beside them.
  const std::size_t weights_at = op.backward.size();
  for (const Linear& l : linears) weight_gradient(s, op, l, s.rank.tokens);
  if (regather) op.backward[gather_at].step.beside = static_cast<std::uint32_t>(weights_at - gather_at - 1);
  if (s.tensor_parallel())
    op.backward[weights_at - 1].step.beside = static_cast<std::uint32_t>(op.backward.size() - weights_at);
}

void row_forward(Splitter& s, RankOp& op, const Linear& linear) {
  keep_input(s, op, linear, s.rank.tokens);
  op.forward.push_back(
      {s.compute(linear.name, s.gemm(s.rank.tokens, linear.out, linear.in, GemmLayout::tn, linear.type))});
  if (linear.keep_output || !s.tensor_parallel()) op.forward.back().makes = op.out.front();
  if (!s.tensor_parallel()) return;
  const std::int64_t bytes = checked_mul(s.rank.tokens, linear.out) * s.width();
  const Collective kind = s.rank.sequence_parallel ? Collective::reduce_scatter : Collective::all_reduce;
  op.forward.push_back({s.communicate(linear.name, kind, bytes), Phase::input, op.out.front()});
  if (s.rank.sequence_parallel) op.forward_workspace = {bytes};
}

void row_backward(Splitter& s, RankOp& op, const Linear& linear) {
  cast_gradient(s, op, linear, s.rank.shard_tokens);
  if (s.rank.sequence_parallel) {
    const std::int64_t bytes = gathered_bytes(s, linear, checked_mul(s.rank.tokens, linear.out));
    op.backward.push_back({s.communicate(linear.name, Collective::all_gather, bytes)});
    op.backward_workspace.push_back({{bytes}, true, true});
  } else {
    op.weight_reads_gradient_of = {op.out.front()};
  }
  op.backward.push_back(
      {s.compute(linear.name, s.gemm(s.rank.tokens, linear.in, linear.out, GemmLayout::nn, linear.type))});
  weight_gradient(s, op, linear, s.rank.shard_tokens);
}

}  // namespace

Linear linear_of(const Splitter& s, std::int64_t in, std::int64_t out) {
  Linear l;
  l.name = model::name_of(s.node().kind), l.in = in, l.out = out, l.bias = s.node().vectors;
  l.type = s.options.compute, l.tokens = s.rank.tokens, l.matrices = 1;
  const std::int64_t read = s.features(0);
  l.rows = read > 0 ? checked_mul(s.node().rows, in) / read : s.node().rows;
  return l;
}

bool separate_products(const Splitter& s) {
  return s.options.kernels.separate_projections || s.options.recompute == Recompute::selective_op;
}

void weight_gradient(const Splitter& s, RankOp& op, const Linear& linear, std::int64_t bias_rows) {
  PassStep step = s.compute(linear.name, weight_gemm(s, linear));
  const std::int64_t weights = checked_mul(linear.matrices * linear.rows, linear.out);
  step.of_experts = kind_of(s) == Parameters::experts;
  if (linear.bias > 0)
    op.backward.push_back({s.memory("bias.weight_gradient", bias_rows * linear.out * s.width()), Phase::weight});
  const std::int64_t ready = (linear.own_gradient ? weights : 0) + linear.matrices * linear.bias * linear.out;
  const bool apart = !s.options.kernels.fused_gradient_accumulation && !s.layout.reduces_in_each_pass(kind_of(s));
  if (!apart) step.gradients_ready = ready;
  op.backward.push_back({step, Phase::weight});
  if (apart) {
    op.backward.push_back(
        {s.memory("weight.add_gradient", weights * (s.width() + 2 * s.options.gradient_bytes)), Phase::weight});
    op.backward.back().step.gradients_ready = ready, op.backward.back().step.of_experts = step.of_experts;
    op.backward_workspace.push_back({{weights * s.width()}, false, true});
  }
  // The head is no layer of Transformer Engine: its placeholder lives as long as the step.
  if (s.options.kernels.gradient_placeholders && s.in_last_part())
    op.backward_workspace.push_back({{weights * s.width()}, false, true});
}

// Megatron-LM, core/transformer/moe/experts.py, _apply_bias: b·p, t + b·p, torch.cat and the cast back, each a kernel;
// weights and with them products and sums are fp32. Backward the casts and what both factors' gradients are summed of.
void weigh_bias(const Splitter& s, RankOp& op, const Linear& linear) {
  constexpr std::int64_t kWide = 4;
  const std::int64_t values = checked_mul(linear.tokens, linear.out), width = s.width();
  op.forward.push_back({s.memory("bias.weighted", (6 * kWide + 2 * width) * values, 4)});
  op.backward.push_back({s.memory("bias.weighted", (8 * kWide + 2 * width) * values, 6)});
  op.forward_workspace = {2 * kWide * values};
}

RankOp plain_linear_of(Splitter& s, const Linear& linear) {
  RankOp op = s.start();
  op.out = op.weight_reads_gradient_of = {s.result(0)};
  keep_input(s, op, linear, linear.tokens);
  op.forward.push_back({s.compute(linear.name, row_gemm(s, linear, linear.out, linear.in, GemmLayout::tn))});
  if (linear.weighted_bias && linear.bias > 0) weigh_bias(s, op, linear);
  cast_gradient(s, op, linear, linear.tokens);
  op.backward.push_back({s.compute(linear.name, row_gemm(s, linear, linear.in, linear.out, GemmLayout::nn))});
  weight_gradient(s, op, linear, linear.tokens);
  if (s.node().matrices == 1) s.replicated_parameters((linear.rows + linear.bias) * linear.out);
  for (std::vector<OpStep>* steps : {&op.forward, &op.backward})
    for (OpStep& each : *steps) each.step.copies = static_cast<std::int16_t>(linear.copies);
  return op;
}

void plain_linear(Splitter& s, const Linear& linear) {
  s.finish(plain_linear_of(s, linear));
}

RankOp column_linear(Splitter& s, const std::vector<Linear>& linears) {
  RankOp op = s.start();
  for (const Linear& l : linears) {
    op.out.push_back(s.tensor(s.rank.tokens * l.out));
    if (l.keep_output) s.keep_always(op.out.back());
  }
  op.weight_reads_gradient_of = op.out;
  column_forward(s, op, linears);
  column_backward(s, op, linears);
  return op;
}

void row_linear(Splitter& s, const Linear& linear) {
  RankOp op = s.start();
  op.out = {s.result(0)};
  if (linear.keep_output || (s.options.recompute == Recompute::selective_op && s.tensor_parallel()))
    s.keep_always(op.out.front());
  row_forward(s, op, linear);
  row_backward(s, op, linear);
  s.replicated_parameters(linear.bias * linear.out);
  s.finish(std::move(op));
}

}  // namespace orrery::layout
