#include "operators.hpp"

namespace orrery::layout {

// Bias, dropout, addition of the branch (input 0) to the residual stream (input 1). Keeps the dropout mask, one byte a
// value. Without dropout both gradients are the incoming one.
void split_residual_add(Splitter& s) {
  RankOp op = s.start();
  const std::int64_t branch = s.values(0), width = s.width();
  const bool whole = s.options.kernels.fused_bias_dropout_add || s.options.compiled;
  const TensorId sum = s.result(0), stream = s.in(1);
  op.out = {sum};
  for (GradientOf& g : op.gradients)
    if (g.input == stream || !s.model.dropout) g.same_as = sum;
  std::int64_t bytes = width * (branch + s.values(1) + s.out_values(0));  // the addition
  int kernels = 1;
  if (s.model.dropout) {
    const TensorId mask = s.tensor(branch, 1);
    op.out.push_back(mask), op.keep_for_input = {mask};
    bytes += whole ? branch : (2 * width + 1) * branch, kernels += whole ? 0 : 1;
    op.backward.push_back({s.memory(op.name, (2 * width + 1) * branch)});
  }
  const bool attention =
      s.node().kind == model::OperatorKind::attention_residual || s.node().kind == model::OperatorKind::cross_residual;
  if ((s.model.bias || (attention ? s.model.projection_bias : s.model.mlp_bias)) && !whole)
    bytes += 2 * width * branch, ++kernels;
  op.forward.push_back({s.memory(op.name, bytes, kernels)});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
