#include "operators.hpp"

namespace orrery::layout {
namespace {
// apex cuComputePartGradGammaBeta: partial sums of the norm weight gradients, reduced by a second kernel (part_size =
// 16).
constexpr std::int64_t kNormPartials = 16;

// A root-mean-square norm that is not one kernel keeps an fp32 copy of the input and the normalised values instead.
bool is_one_kernel(const Splitter& s) {
  return s.options.kernels.fused_norm || s.options.compiled || s.model.norm == model::Norm::layer_norm;
}

// Unfused: cast, square-mean, scale, cast back, weight; the backward pass twice as many.
void kernels(const Splitter& s, RankOp& op, std::int64_t values, int tensors) {
  const bool whole = is_one_kernel(s);
  const std::int64_t width = s.width();
  op.forward.push_back({s.memory(op.name, (whole ? 2 * width : 8 * width + 12) * values, tensors * (whole ? 1 : 6))});
  op.backward.push_back(
      {s.memory(op.name, (whole ? 3 * width : 12 * width + 24) * values, tensors * (whole ? 1 : 12))});
}

void gains(Splitter& s, RankOp& op, std::int64_t parameters) {
  PassStep weights = s.memory("norm.weight_gradient", parameters * (4 * kNormPartials + 2 * s.options.gradient_bytes));
  weights.gradients_ready = parameters;
  op.backward.push_back({weights, Phase::weight});
}

}  // namespace

// Keeps its input; statistics (8 bytes a token) are left out, as the closed forms do.
void split_norm(Splitter& s) {
  RankOp op = s.start();
  const std::int64_t values = s.values(0), width = s.width();
  op.out = {s.result(0)};
  if (is_one_kernel(s)) {
    op.keep_for_input = op.in;
  } else {
    op.keep_for_input = {s.tensor(values, 4), s.tensor(values)};
    op.out.insert(op.out.end(), op.keep_for_input.begin(), op.keep_for_input.end());
  }
  kernels(s, op, values, 1);
  const model::OperatorKind kind = s.node().kind;
  // The gradients of the branch and of the residual stream are summed, and those of two branches of one norm.
  using K = model::OperatorKind;
  const bool in_branch = s.model.norm_place == model::NormPlace::after_sum
                             ? kind == K::attention_post_norm || kind == K::cross_post_norm || kind == K::mlp_post_norm
                             : kind == K::norm || kind == K::mlp_norm || kind == K::cross_norm ||
                                   s.model.norm_place == model::NormPlace::after;
  const bool of_two = kind == model::OperatorKind::norm && s.model.parallel == model::Parallel::one_norm;
  if (in_branch && !s.in_last_part() && !s.options.compiled)
    op.backward.push_back({s.memory("residual.add_gradient", (of_two ? 6 : 3) * width * values)});
  const std::int64_t parameters = s.node().vectors * s.out_features(0);
  s.replicated_parameters(parameters);
  gains(s, op, parameters);
  s.finish(std::move(op));
}

// Of queries and keys, inputs 0 and 1. The gains of one head are those of every head and stand on every tensor rank;
// those over all heads are split as the heads are.
void split_qk_norm(Splitter& s) {
  RankOp op = s.start();
  op.out = {s.result(0), s.result(1)};
  op.keep_for_input = op.in;
  kernels(s, op, s.values(0) + s.values(1), 2);
  const bool of_heads = s.model.qk_norm == model::QkNorm::all;
  const std::int64_t parameters = of_heads ? s.node().own / s.rank.tensor : s.node().own;
  if (!of_heads) s.replicated_parameters(parameters);
  if (parameters > 0) gains(s, op, parameters);
  s.finish(std::move(op));
}

}  // namespace orrery::layout
