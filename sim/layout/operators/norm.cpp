#include "operators.hpp"

namespace orrery::layout {
namespace {
// apex cuComputePartGradGammaBeta: partial sums of the norm weight gradients, reduced by a second kernel (part_size =
// 16).
constexpr std::int64_t kNormPartials = 16;
}  // namespace

// Keeps its input; statistics (8 bytes a token) are left out, as the closed forms do. A root-mean-square norm that is
// not one kernel keeps an fp32 copy of the input and the normalised values instead.
void split_norm(Splitter& s) {
  RankOp op = s.start();
  const bool whole = s.options.kernels.fused_norm || s.options.compiled || s.model.norm == model::Norm::layer_norm;
  const std::int64_t values = s.values(0), width = s.width();
  op.out = {s.result(0)};
  if (whole) {
    op.keep_for_input = op.in;
  } else {
    op.keep_for_input = {s.tensor(values, 4), s.tensor(values)};
    op.out.insert(op.out.end(), op.keep_for_input.begin(), op.keep_for_input.end());
  }
  // Unfused: cast, square-mean, scale, cast back, weight; the backward pass twice as many.
  op.forward.push_back({s.memory(op.name, (whole ? 2 * width : 8 * width + 12) * values, whole ? 1 : 6)});
  op.backward.push_back({s.memory(op.name, (whole ? 3 * width : 12 * width + 24) * values, whole ? 1 : 12)});
  const model::OperatorKind kind = s.node().kind;
  const bool in_branch = kind == model::OperatorKind::norm || kind == model::OperatorKind::mlp_norm;
  if (in_branch && !s.options.compiled)  // the gradients of the branch and of the residual stream are summed
    op.backward.push_back({s.memory("residual.add_gradient", 3 * width * values)});
  const std::int64_t parameters = s.node().vectors * s.out_features(0);
  PassStep weights = s.memory("norm.weight_gradient", parameters * (4 * kNormPartials + 2 * s.options.gradient_bytes));
  weights.gradients_ready = parameters;
  s.replicated_parameters(parameters);
  op.backward.push_back({weights, Phase::weight});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
