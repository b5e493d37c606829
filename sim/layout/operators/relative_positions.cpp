#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {

// Transformer-XL (Dai et al. 2019): the encodings, constants, are projected; queries times them is added to the scores.
void split_relative_positions(Splitter& s) {
  RankOp op = s.start();
  Linear projection = linear_of(s, s.node().rows, s.out_columns(0));
  projection.type = s.options.activation;
  op.out = op.weight_reads_gradient_of = {s.result(0)};
  op.forward.push_back({s.compute(
      op.name, s.gemm(s.rank.tokens, projection.out, projection.in, model::GemmLayout::tn, s.options.activation))});
  weight_gradient(s, op, projection, s.rank.tokens);
  s.finish(std::move(op));
}

}  // namespace orrery::layout
