#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {

void split_fc1(Splitter& s) {
  Linear one = linear_of(s, s.features(0), s.out_columns(0));
  one.keep_output = s.options.recompute == Recompute::selective_op;
  one.input_cast_fused = s.options.kernels.fused_norm;
  std::vector<Linear> parts{one};
  if (s.model.gated() && separate_products(s)) {  // gate and up
    parts[0].out /= 2;
    parts.push_back(parts[0]);
    parts[1].keep_output = false;
  }
  RankOp op = column_linear(s, parts);
  s.results_are(0, op.weight_reads_gradient_of);
  s.finish(std::move(op));
}

}  // namespace orrery::layout
