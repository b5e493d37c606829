#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {

// Keys and values of what the encoder made (input 0), of its tokens. Each layer of the decoder adds to the gradient of
// that, but for the last, whose is the first.
void split_cross_keys_values(Splitter& s) {
  std::vector<Linear> parts{linear_of(s, s.features(0), s.out_columns(0)),
                            linear_of(s, s.features(0), s.out_columns(1))};
  const bool apart = separate_products(s);
  if (!apart) parts[0].out += parts[1].out, parts.pop_back();
  RankOp op = column_linear(s, parts);
  if (apart) {
    for (int i = 0; i < 2; ++i) s.results_are(i, {op.weight_reads_gradient_of[static_cast<std::size_t>(i)]});
  } else {  // one product, whose result is seen as two tensors
    s.resize(op.out.front(), s.out_values(0));
    s.results_are(0, {op.out.front()});
    op.out.push_back(s.result(1)), op.weight_reads_gradient_of.push_back(op.out.back());
  }
  if (s.node().layer + 1 < s.model.layers && !s.options.compiled)
    op.backward.push_back({s.memory("residual.add_gradient", 3 * s.width() * s.values(0))});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
