#include "rank_ops.hpp"

namespace orrery::layout {

using model::Spread;

RankShape rank_shape(const Layout& layout, const PassOptions& options) {
  RankShape r;
  r.micro_batch = options.micro_batch, r.tensor = layout.tensor, r.context = layout.context;
  r.sequence_parallel = layout.sequence_parallel && layout.tensor > 1;
  r.sequence = options.sequence_length / r.context;
  r.tokens = checked_mul(r.micro_batch, r.sequence);
  r.shard_tokens = r.sequence_parallel ? r.tokens / r.tensor : r.tokens;
  return r;
}

std::int64_t columns_on_rank(const model::Tensor& t, const RankShape& rank) {
  return t.spread == Spread::columns ? t.features / rank.tensor : t.features;
}

std::int64_t values_on_rank(const model::Tensor& t, const RankShape& rank) {
  return checked_mul(t.spread == Spread::columns ? rank.tokens : rank.shard_tokens, columns_on_rank(t, rank));
}

}  // namespace orrery::layout
