#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {

void split_fc2(Splitter& s) {
  Linear two = linear_of(s, s.columns(0), s.out_features(0));
  two.input_cast_fused = s.options.kernels.fused_bias_activation;
  two.keep_output = s.options.recompute == Recompute::selective_op && s.model.gated();
  row_linear(s, two);
}

}  // namespace orrery::layout
