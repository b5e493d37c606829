// Linear layers of latent attention. The narrow latents, and the matrices that make them, are whole on every tensor
// rank (Megatron-LM: parallel_mode duplicated); what is made of them is split by heads.
#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {

void split_latent_down(Splitter& s) {
  Linear down = linear_of(s, s.features(0), s.out_features(0));
  down.tokens = s.rank.shard_tokens;
  down.copies = s.rank.sequence_parallel ? 1 : s.rank.tensor;
  plain_linear(s, down);
}

void split_latent_up(Splitter& s) {
  RankOp op = column_linear(s, {linear_of(s, s.features(0), s.out_columns(0))});
  s.results_are(0, op.weight_reads_gradient_of);
  s.finish(std::move(op));
}

// One product, whose result is seen as the keys that are not rotated and the values.
void split_latent_keys_values(Splitter& s) {
  RankOp op = column_linear(s, {linear_of(s, s.features(0), s.out_columns(0) + s.out_columns(1))});
  s.resize(op.out.front(), s.out_values(0));
  s.results_are(0, {op.out.front()});
  const TensorId value = s.result(1);
  op.out.push_back(value), op.weight_reads_gradient_of.push_back(value);
  s.finish(std::move(op));
}

}  // namespace orrery::layout
