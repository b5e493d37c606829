#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {

// selective_op keeps every second product, counted within the layer: q, v, gate (or fc1), and fc2 where it is the
// seventh (torchtitan, _apply_ac_to_transformer_block: of `mm` every second is recomputed).
void split_qkv(Splitter& s) {
  std::vector<Linear> parts;
  for (int i = 0; i < 3; ++i) {
    parts.push_back(linear_of(s, s.features(0), s.out_columns(i)));
    parts.back().keep_output = i != 1 && s.options.recompute == Recompute::selective_op;
    parts.back().input_cast_fused = s.options.kernels.fused_norm;
  }
  if (separate_products(s)) {
    RankOp op = column_linear(s, parts);
    for (int i = 0; i < 3; ++i) s.results_are(i, {op.weight_reads_gradient_of[static_cast<std::size_t>(i)]});
    s.finish(std::move(op));
    return;
  }
  // One product, whose result is seen as three tensors.
  Linear all = parts[0];
  all.out += parts[1].out + parts[2].out;
  RankOp op = column_linear(s, {all});
  s.resize(op.out.front(), s.out_values(0));
  s.results_are(0, {op.out.front()});
  const TensorId key = s.result(1), value = s.result(2);
  op.out.insert(op.out.end(), {key, value});
  op.weight_reads_gradient_of.insert(op.weight_reads_gradient_of.end(), {key, value});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
