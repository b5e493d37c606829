#include "rank_ops.hpp"

#include "orrery/core/error.hpp"

namespace orrery::layout {

using model::Spread;

std::int64_t tokens_sent(const Layout& layout, const PassOptions& options) {
  return rank_shape({}, layout, options, model::Tokens::first).shard_tokens;
}

RankShape rank_shape(const model::ModelSpec& spec, const Layout& layout, const PassOptions& options,
                     model::Tokens tokens) {
  RankShape r;
  r.micro_batch = options.micro_batch, r.tensor = layout.tensor, r.context = layout.context;
  r.sequence_parallel = layout.sequence_parallel && layout.tensor > 1;
  const model::Lengths lengths{options.sequence_length, options.decoder_sequence_length};
  r.sequence = (tokens == model::Tokens::decoder ? lengths.behind_encoder() : lengths.sequence) / r.context;
  r.tokens = checked_mul(r.micro_batch, r.sequence);
  r.shard_tokens = r.sequence_parallel ? r.tokens / r.tensor : r.tokens;
  if (spec.experts.count == 0) return r;
  r.expert = layout.expert, r.expert_tensor = layout.expert_tensor, r.experts = spec.experts.count / layout.expert;
  return r;
}

// Balanced: each rank of the experts is given as many copies as each sends, and from each that shares its experts.
void set_rows(RankShape& rank, const model::ModelSpec& spec, const Layout& layout, const Routing& routing,
              std::int64_t layer, std::int32_t place) {
  const bool has = layer < spec.layers ? layer >= 0 && spec.experts.in_layer(layer) : layer > spec.layers;
  if (spec.experts.count == 0 || !has) return;
  const ExpertRows rows = expert_rows(spec.experts, spec.layers, layout, rank.shard_tokens, routing, layer);
  rank.copies = rows.copies, rank.received = rows.received(place);
  rank.of_expert = rows.grouped(place), rank.sent = rows.sent();
}

std::int64_t columns_on_rank(const model::Tensor& t, const RankShape& rank) {
  if (t.spread == Spread::columns) return t.features / rank.tensor;
  return t.spread == Spread::received_columns ? t.features / rank.expert_tensor : t.features;
}

namespace {

std::int64_t rows_on_rank(Spread spread, const RankShape& rank) {
  switch (spread) {
    case Spread::stream:
    case Spread::weight:
      return rank.shard_tokens;
    case Spread::columns:
      return rank.tokens;
    case Spread::copies:
      return rank.copies;
    case Spread::received:
    case Spread::received_columns:
      return rank.received;
    case Spread::sequences:
      return rank.micro_batch;
  }
  internal_error("rows_on_rank: unknown spread");
}

}  // namespace

std::int64_t values_on_rank(const model::Tensor& t, const RankShape& rank) {
  return checked_mul(rows_on_rank(t.spread, rank), columns_on_rank(t, rank));
}

}  // namespace orrery::layout
