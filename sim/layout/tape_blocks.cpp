// Embedding, norms, rotary positions, activations, residual additions: memory-bound operators.
//
// Bytes are what the kernels read and write, in elements of 2 bytes unless said; a chain that a stack does not fuse is
// counted kernel by kernel.
#include "tape_builder.hpp"

namespace orrery::layout {
namespace {
// apex cuComputePartGradGammaBeta: partial sums of the norm weight gradients, reduced by a second kernel (part_size =
// 16).
constexpr std::int64_t kNormPartials = 16;
}  // namespace

// Lookup in the rows of this rank. Learned positions are added before the sum is scattered, so sequence parallel then
// all-reduces first (Megatron: reduce_scatter_embeddings is off with learned positions).
void TapeBuilder::embedding(const model::Operator&) {
  RankOp op = start("embedding");
  const std::int64_t values = r_.tokens * m_.hidden, width = activation_bytes();
  const bool learned = m_.position == model::Position::learned;
  const std::int64_t rows = r_.vocab + (learned ? m_.max_positions : 0);
  op.out = {tensor(r_.shard_tokens * m_.hidden)};
  op.forward.push_back({memory("embedding", 2 * width * values)});
  if (tensor_parallel()) {
    const bool scatter = r_.sequence_parallel && !learned;
    op.forward.push_back(
        {communicate("embedding", scatter ? Collective::reduce_scatter : Collective::all_reduce, width * values)});
    if (r_.sequence_parallel) op.forward_workspace = {width * values};
  }
  if (learned) op.forward.push_back({memory("embedding.position", 3 * width * values)});

  if (r_.sequence_parallel)
    op.backward.push_back({communicate("embedding", Collective::all_gather, width * values), Phase::weight});
  // The gradient is made dense (zero fill, scattered additions) and then added to the gradient buffer.
  const std::int64_t table = rows * m_.hidden;
  const std::int64_t accumulate = l_.reduces_in_each_pass() ? 0 : table * (width + 2 * o_.gradient_bytes);
  PassStep gradient = memory("embedding.weight_gradient", 2 * width * values + table * width + accumulate, 3);
  gradient.gradients_ready = table;
  op.backward.push_back({gradient, Phase::weight});
  op.backward_workspace.push_back({{table * width + (r_.sequence_parallel ? width * values : 0)}, false, true});
  op.weight_reads_gradient_of = op.out;
  residual_ = finish(std::move(op));
}

void TapeBuilder::embedding_dropout() {
  RankOp op = start("embedding.dropout");
  const std::int64_t values = r_.shard_tokens * m_.hidden, width = activation_bytes();
  const TensorId mask = tensor(values, 1);
  op.in = {residual_}, op.out = {tensor(values), mask};
  op.keep_for_input = {mask};
  op.gradients = {{residual_}};
  op.forward.push_back({memory("embedding.dropout", (2 * width + 1) * values)});
  op.backward.push_back({memory("embedding.dropout", (2 * width + 1) * values)});
  residual_ = finish(std::move(op));
}

// Keeps its input; statistics (8 bytes a token) are left out, as the closed forms do. A root-mean-square norm that is
// not one kernel keeps an fp32 copy of the input and the normalised values instead.
void TapeBuilder::norm(const model::Operator& graph_op) {
  RankOp op = start(model::name_of(graph_op.kind));
  const bool whole = o_.fused_norm || o_.compiled || m_.norm == model::Norm::layer_norm;
  const std::int64_t values = r_.shard_tokens * m_.hidden, width = activation_bytes();
  op.in = {residual_}, op.out = {tensor(values)};
  if (whole) {
    op.keep_for_input = {residual_};
  } else {
    op.keep_for_input = {tensor(values, 4), tensor(values)};
    op.out.insert(op.out.end(), op.keep_for_input.begin(), op.keep_for_input.end());
  }
  op.gradients = {{residual_}};
  // Unfused: cast, square-mean, scale, cast back, weight; the backward pass twice as many.
  op.forward.push_back({memory(op.name, (whole ? 2 * width : 8 * width + 12) * values, whole ? 1 : 6)});
  op.backward.push_back({memory(op.name, (whole ? 3 * width : 12 * width + 24) * values, whole ? 1 : 12)});
  const bool in_branch = graph_op.kind == model::OperatorKind::norm || graph_op.kind == model::OperatorKind::mlp_norm;
  if (in_branch && !o_.compiled)  // the gradients of the branch and of the residual stream are summed
    op.backward.push_back({memory("residual.add_gradient", 3 * width * values)});
  PassStep weights = memory("norm.weight_gradient", graph_op.parameters * (4 * kNormPartials + 2 * o_.gradient_bytes));
  weights.gradients_ready = graph_op.parameters;
  tape_.replicated_parameters += graph_op.parameters;
  op.backward.push_back({weights, Phase::weight});
  const TensorId out = finish(std::move(op));
  (graph_op.kind == model::OperatorKind::embedding_norm ? residual_ : branch_) = out;
}

// Fused: one kernel each for queries and keys. Unfused: x·cos + rotate_half(x)·sin, five kernels each.
void TapeBuilder::rotary() {
  RankOp op = start("rotary");
  const std::int64_t query = r_.tokens * r_.heads * r_.head_dim, key = r_.tokens * r_.kv_heads * r_.head_dim;
  const bool whole = o_.fused_rotary || o_.compiled;
  const PassStep step = memory("rotary", (whole ? 2 : 10) * activation_bytes() * (query + key), whole ? 2 : 10);
  op.in = {query_, key_}, op.out = {tensor(query), tensor(key)};
  op.gradients = {{query_}, {key_}};
  op.forward.push_back({step});
  op.backward.push_back({step});
  query_ = op.out[0], key_ = op.out[1];
  finish(std::move(op));
}

// What is kept: the input (GELU, fused SwiGLU), the result (ReLU, whose result is the input of fc2), the result of the
// inner ReLU (squared ReLU); unfused SwiGLU both inputs and silu(gate).
void TapeBuilder::activation() {
  RankOp op = start("activation");
  const std::int64_t values = r_.tokens * r_.ffn;
  const bool whole = o_.fused_bias_activation || o_.compiled;
  op.in = gate_ == up_ ? std::vector{up_} : std::vector{gate_, up_};
  op.out = {tensor(values)};
  for (const TensorId in : op.in) op.gradients.push_back({in});
  if (m_.activation == model::Activation::relu) {
    op.keep_for_input = {op.out.front()};
  } else if (!whole && m_.activation != model::Activation::gelu) {
    const TensorId inner = tensor(values);  // silu(gate) or relu(x)
    op.out.push_back(inner);
    op.keep_for_input = m_.gated() ? op.in : std::vector<TensorId>{};
    op.keep_for_input.push_back(inner);
  } else {
    op.keep_for_input = op.in;
  }
  activation_kernels(op);
  branch_ = finish(std::move(op));
}

void TapeBuilder::activation_kernels(RankOp& op) const {
  const std::int64_t values = r_.tokens * r_.ffn * activation_bytes();
  const bool whole = o_.fused_bias_activation || o_.compiled;
  struct Cost {
    std::int64_t passes;  // over `values`, reads and writes
    int kernels;
  };
  Cost forward{2, 1}, backward{3, 1};
  if (m_.gated()) {
    forward = whole ? Cost{3, 1} : Cost{5, 2};   // silu, multiply
    backward = whole ? Cost{5, 1} : Cost{9, 3};  // multiply twice, silu
  } else if (!whole && m_.activation == model::Activation::squared_relu) {
    forward = {4, 2}, backward = {6, 2};
  }
  if (!whole && bias()) forward.passes += m_.gated() ? 4 : 2, forward.kernels += 1;
  op.forward.push_back({memory("activation", forward.passes * values, forward.kernels)});
  op.backward.push_back({memory("activation", backward.passes * values, backward.kernels)});
}

// Bias, dropout, addition. Keeps the dropout mask, one byte a value. Without dropout both gradients are the incoming
// one.
void TapeBuilder::residual_add(const char* name) {
  RankOp op = start(name);
  const std::int64_t values = r_.shard_tokens * m_.hidden, width = activation_bytes();
  op.in = {branch_, residual_}, op.out = {tensor(values)};
  const TensorId sum = op.out.front();
  const bool whole = o_.fused_bias_dropout_add || o_.compiled;
  std::int64_t bytes = 3 * width * values;  // the addition
  int kernels = 1;
  if (m_.dropout) {
    const TensorId mask = tensor(values, 1);
    op.out.push_back(mask), op.keep_for_input = {mask};
    bytes += whole ? values : (2 * width + 1) * values, kernels += whole ? 0 : 1;
    op.gradients = {{branch_}, {residual_, sum}};
    op.backward.push_back({memory(name, (2 * width + 1) * values)});
  } else {
    op.gradients = {{branch_, sum}, {residual_, sum}};
  }
  if (bias() && !whole) bytes += 2 * width * values, ++kernels;
  op.forward.push_back({memory(name, bytes, kernels)});
  residual_ = finish(std::move(op));
  branch_ = kNoTensor;
}

}  // namespace orrery::layout
