#include "operators.hpp"

namespace orrery::layout {

// Lookup in the rows of this rank, whose table may be that of the first embedding. Learned positions, and types of
// tokens, are added before the sum is scattered, so sequence parallel then all-reduces first (Megatron:
// reduce_scatter_embeddings is off with learned positions).
void split_embedding(Splitter& s) {
  RankOp op = s.start();
  const std::int64_t hidden = s.out_features(0), values = s.rank.tokens * hidden, width = s.width();
  const std::int64_t positions = s.node().vectors, rows = s.node().rows / s.rank.tensor + positions;
  op.out = {s.result(0)};
  op.forward.push_back({s.memory("embedding", 2 * width * values)});
  if (s.tensor_parallel()) {
    const bool scatter = s.rank.sequence_parallel && positions == 0;
    op.forward.push_back(
        {s.communicate("embedding", scatter ? Collective::reduce_scatter : Collective::all_reduce, width * values)});
    if (s.rank.sequence_parallel) op.forward_workspace = {width * values};
  }
  const int added =
      (s.model.position == model::Position::learned && positions > 0 ? 1 : 0) + (s.model.token_types > 0 ? 1 : 0);
  for (int i = 0; i < added; ++i) op.forward.push_back({s.memory("embedding.position", 3 * width * values)});

  if (s.rank.sequence_parallel)
    op.backward.push_back({s.communicate("embedding", Collective::all_gather, width * values), Phase::weight});
  // The gradient is made dense (zero fill, scattered additions) and then added to the gradient buffer.
  const std::int64_t table = rows * hidden;
  const std::int64_t accumulate = s.layout.reduces_in_each_pass() ? 0 : table * (width + 2 * s.options.gradient_bytes);
  PassStep gradient = s.memory("embedding.weight_gradient", 2 * width * values + table * width + accumulate, 3);
  gradient.gradients_ready = s.shares_matrix_in_stage() ? positions * hidden : table;
  op.backward.push_back({gradient, Phase::weight});
  op.backward_workspace.push_back({{table * width + (s.rank.sequence_parallel ? width * values : 0)}, false, true});
  op.weight_reads_gradient_of = op.out;
  s.finish(std::move(op));
}

}  // namespace orrery::layout
