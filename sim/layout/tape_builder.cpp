#include "tape_builder.hpp"

namespace orrery::layout {

using model::OperatorKind;

RankShape rank_shape(const model::ModelSpec& spec, const Layout& layout, const PassOptions& options) {
  RankShape r;
  r.micro_batch = options.micro_batch, r.tensor = layout.tensor, r.context = layout.context;
  r.sequence_parallel = layout.sequence_parallel && layout.tensor > 1;
  r.sequence = options.sequence_length / r.context;
  r.tokens = checked_mul(r.micro_batch, r.sequence);
  r.shard_tokens = r.sequence_parallel ? r.tokens / r.tensor : r.tokens;
  r.heads = spec.heads / r.tensor, r.kv_heads = spec.kv_heads / r.tensor, r.head_dim = spec.dim_per_head();
  r.ffn = spec.ffn_hidden / r.tensor, r.vocab = spec.vocab / r.tensor;
  return r;
}

Tape build_tape(const model::OperatorGraph& graph, const model::ModelSpec& spec, const Layout& layout,
                const StageSpan& span, const PassOptions& options) {
  return TapeBuilder(spec, layout, span, options).build(graph);
}

TapeBuilder::TapeBuilder(const model::ModelSpec& spec, const Layout& layout, const StageSpan& span,
                         const PassOptions& options)
    : m_(spec), l_(layout), span_(span), o_(options), r_(rank_shape(spec, layout, options)) {}

Tape TapeBuilder::build(const model::OperatorGraph& graph) {
  if (!span_.embedding) tape_.input = residual_ = tensor(r_.shard_tokens * m_.hidden);
  for (const model::Operator& op : graph.operators) {
    const bool mine = op.layer < 0 ? span_.embedding
                      : op.layer == m_.layers
                          ? span_.head
                          : op.layer >= span_.first_layer && op.layer < span_.first_layer + span_.layers;
    if (mine) add(op);
  }
  if (!span_.head) tape_.output = residual_;
  return std::move(tape_);
}

void TapeBuilder::add(const model::Operator& op) {
  layer_ = op.layer;
  switch (op.kind) {
    case OperatorKind::embedding:
      return embedding(op);
    case OperatorKind::embedding_dropout:
      return embedding_dropout();
    case OperatorKind::embedding_norm:
    case OperatorKind::norm:
    case OperatorKind::mlp_norm:
    case OperatorKind::final_norm:
      return norm(op);
    case OperatorKind::qkv:
      return qkv();
    case OperatorKind::rotary:
      return rotary();
    case OperatorKind::relative_positions:
      return relative_positions();
    case OperatorKind::attention_relative:
      return attention_relative();
    case OperatorKind::attention_scores:
      return attention_scores();
    case OperatorKind::attention_softmax:
      return attention_softmax();
    case OperatorKind::attention_dropout:
      return attention_dropout();
    case OperatorKind::attention_context:
      return attention_context();
    case OperatorKind::attention_flash:
      return attention_flash();
    case OperatorKind::projection:
      return projection();
    case OperatorKind::fc1:
      return fc1();
    case OperatorKind::activation:
      return activation();
    case OperatorKind::fc2:
      return fc2();
    case OperatorKind::attention_residual:
    case OperatorKind::mlp_residual:
      return residual_add(model::name_of(op.kind));
    case OperatorKind::head:
      return head(op);
    case OperatorKind::cross_entropy:
      return cross_entropy();
  }
}

RankOp TapeBuilder::start(const char* name) const {
  RankOp op;
  op.name = name, op.layer = layer_;
  return op;
}

TensorId TapeBuilder::tensor(std::int64_t elements, std::int64_t element_bytes) {
  tape_.tensors.push_back({checked_mul(elements, element_bytes > 0 ? element_bytes : activation_bytes())});
  tape_.keep_always.push_back(false);
  return static_cast<TensorId>(tape_.tensors.size() - 1);
}

// Returns the first output, for the operators that have one.
TensorId TapeBuilder::finish(RankOp op) {
  const TensorId out = op.out.empty() ? kNoTensor : op.out.front();
  tape_.ops.push_back(std::move(op));
  return out;
}

PassStep TapeBuilder::compute(const char* name, const model::Kernel& kernel, int kernels) const {
  PassStep step;
  step.name = name, step.layer = layer_, step.kernel = kernel, step.kernels = kernels;
  return step;
}

PassStep TapeBuilder::memory(const char* name, std::int64_t bytes, int kernels) const {
  model::Kernel kernel;
  kernel.kind = model::KernelKind::memory, kernel.dtype = o_.activation, kernel.bytes = {bytes};
  return compute(name, kernel, o_.compiled ? 1 : kernels);
}

PassStep TapeBuilder::communicate(const char* name, Collective kind, std::int64_t bytes, StepGroup group) const {
  PassStep step;
  step.is_communication = true;
  step.name = name, step.layer = layer_, step.collective = kind, step.message = {bytes}, step.group = group;
  return step;
}

model::Kernel TapeBuilder::gemm(std::int64_t m, std::int64_t n, std::int64_t k, model::GemmLayout layout, DType type,
                                std::int64_t batch) const {
  model::Kernel kernel;
  kernel.kind = model::KernelKind::gemm, kernel.dtype = type, kernel.layout = layout;
  kernel.batch = batch, kernel.m = m, kernel.n = n, kernel.k = k, kernel.out_dtype = o_.activation;
  kernel.flops = {checked_mul(checked_mul(2 * batch, m), checked_mul(n, k))};
  kernel.bytes = {checked_mul(batch, (m * k + k * n) * size_of(type) + m * n * size_of(o_.activation))};
  return kernel;
}

}  // namespace orrery::layout
