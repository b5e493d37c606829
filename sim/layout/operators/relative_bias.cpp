#include "operators.hpp"

namespace orrery::layout {

// A bias for each head, query and key, looked up in a table by their distance (Raffel et al. 2020, section 2.1): once
// for all layers of a stack that stand on the stage, each stage from a copy of the table (Megatron-LM, t5_model.py:
// RelativePositionEmbedding on every rank). Kept for the layers; backward their gradients, summed, are scattered back.
void split_relative_bias(Splitter& s) {
  TensorId& made = s.made_of_matrix();
  if (made != kNoTensor) return s.results_are(0, {made});
  RankOp op = s.start();
  const std::int64_t values = s.rank.sequence * s.out_columns(0), width = s.width();
  const std::int64_t table = s.graph.tensors[at(s.matrix())].features / s.rank.tensor;
  op.out = op.weight_reads_gradient_of = {made = s.result(0, values)};
  op.forward.push_back({s.memory(op.name, 4 * width * values, 3)});  // buckets, lookup, heads before positions
  PassStep gradient =
      s.memory("relative_bias.weight_gradient", width * values + 2 * s.options.gradient_bytes * table, 2);
  gradient.gradients_ready = table;
  op.backward.push_back({gradient, Phase::weight});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
