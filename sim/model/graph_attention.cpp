// Attention in the model graph: of a layer to its own tokens, and of a decoder to what an encoder makes.
#include "graph_builder.hpp"
#include "orrery/core/error.hpp"

namespace orrery::model {

GraphBuilder::TensorIndex GraphBuilder::attention(TensorIndex x, std::int64_t like) {
  const QueriesKeysValues made = m_.latent() ? latent(x) : grouped(x);
  const Operator how{.window = m_.window_of(like), .causal = !m_.in_encoder(like), .tokens = tokens_, .keys = tokens_};
  return linear(K::projection, core(made, position_scores(made.query), how), {{m_.hidden, Spread::stream}},
                m_.bias || m_.projection_bias);
}

// Queries of the decoder, keys and values of what the encoder made, each layer its own. No positions: a relative bias
// is of self-attention alone (T5).
GraphBuilder::TensorIndex GraphBuilder::cross_attention(TensorIndex stream) {
  const bool behind_sum = m_.norm_place == NormPlace::after_sum;
  const std::int64_t q = m_.query_features(), kv = m_.kv_features();
  const TensorIndex x = behind_sum ? stream : norm(K::cross_norm, stream);
  const TensorIndex query = linear(K::cross_query, x, {{q, Spread::columns}}, m_.bias || m_.qkv_bias);
  tokens_ = Tokens::first;
  const TensorIndex key =
      linear(K::cross_keys_values, encoder_, {{kv, Spread::columns}, {kv, Spread::columns}}, m_.bias || m_.qkv_bias);
  tokens_ = Tokens::decoder;
  const Operator how{.causal = false, .tokens = Tokens::decoder, .keys = Tokens::first};
  const TensorIndex branch = linear(K::cross_projection, core({query, key, key + 1}, {}, how),
                                    {{m_.hidden, Spread::stream}}, m_.bias || m_.projection_bias);
  const TensorIndex sum = add({.kind = K::cross_residual}, {branch, stream}, {{m_.hidden, Spread::stream}});
  return behind_sum ? norm(K::cross_post_norm, sum) : sum;
}

std::vector<GraphBuilder::TensorIndex> GraphBuilder::position_scores(TensorIndex query) {
  if (m_.position == Position::relative) {
    // The encodings are taken as projected for each sequence (micro-batch 1, as in training at this size).
    const TensorIndex encodings =
        add({.kind = K::relative_positions, .rows = m_.hidden}, {}, {{m_.query_features(), Spread::columns}});
    return {add({.kind = K::attention_relative, .head_dim = m_.dim_per_head(), .keys = tokens_}, {query, encodings},
                {scores({.keys = tokens_})})};
  }
  if (m_.position != Position::relative_bias) return {};
  // The first layer of a stack has the table; others read it. Who makes the bias for a stage says the layout room.
  const std::int64_t table = checked_mul(m_.position_buckets, m_.heads);
  std::vector<TensorIndex> reads;
  std::vector<Result> makes{scores({.keys = tokens_})};
  if (buckets_ == kNone)
    makes.push_back({table, Spread::weight});
  else
    reads.push_back(buckets_);
  const TensorIndex bias =
      add({.kind = K::relative_bias, .own = buckets_ == kNone ? table : 0, .keys = tokens_}, reads, makes);
  if (buckets_ == kNone) buckets_ = bias + 1;
  return {bias};
}

GraphBuilder::QueriesKeysValues GraphBuilder::grouped(TensorIndex x) {
  const std::int64_t q = m_.query_features(), kv = m_.kv_features(), d = m_.dim_per_head();
  const std::vector<Result> query_key{{q, Spread::columns}, {kv, Spread::columns}};
  TensorIndex query =
      linear(K::qkv, x, {{q, Spread::columns}, {kv, Spread::columns}, {kv, Spread::columns}}, m_.bias || m_.qkv_bias);
  TensorIndex key = query + 1;
  const TensorIndex value = query + 2;
  if (m_.qk_norm != QkNorm::none) {
    const std::int64_t gains = m_.qk_norm == QkNorm::all ? q + kv : m_.qk_norm == QkNorm::head ? 2 * d : 0;
    query = add({.kind = K::qk_norm, .own = gains, .head_dim = d}, {query, key}, query_key);
    key = query + 1;
  }
  if (m_.position == Position::rotary) {
    query = add({.kind = K::rotary, .head_dim = m_.rotary_dim > 0 ? d : 0}, {query, key}, query_key);
    key = query + 1;
  }
  return {query, key, value};
}

// Queries from their latent, or from the stream; keys and values from theirs, beside which comes the one key that is
// rotated. The rotary operator puts the parts of each key together.
GraphBuilder::QueriesKeysValues GraphBuilder::latent(TensorIndex x) {
  const LatentAttention& l = m_.latent_attention;
  const std::int64_t q = m_.query_features();
  TensorIndex from = x;
  if (l.query_rank > 0)
    from = norm(K::latent_norm, linear(K::latent_down, x, {{l.query_rank, Spread::stream}}, m_.qkv_bias));
  const TensorIndex down = linear(K::latent_down, x, {{l.key_value_rank + l.rope_dim, Spread::stream}}, m_.qkv_bias);
  const TensorIndex narrow = norm(K::latent_norm, down, l.key_value_rank);
  TensorIndex query = linear(K::latent_up, from, {{q, Spread::columns}}, false);
  TensorIndex key =
      linear(K::latent_keys_values, narrow,
             {{m_.heads * l.nope_dim, Spread::columns}, {m_.heads * l.value_dim, Spread::columns}}, false);
  const TensorIndex value = key + 1;
  query = add({.kind = K::rotary, .head_dim = l.rope_dim}, {query, key, down},
              {{q, Spread::columns}, {q, Spread::columns}});
  return {query, query + 1, value};
}

GraphBuilder::Result GraphBuilder::scores(const Operator& how) const {
  const Lengths lengths{o_.sequence_length, o_.decoder_sequence_length};
  const std::int64_t keys = how.keys == Tokens::decoder ? lengths.behind_encoder() : lengths.sequence;
  return {checked_mul(m_.heads, keys), Spread::columns};
}

// `how`: whose queries and keys, and which of them see each other.
GraphBuilder::TensorIndex GraphBuilder::core(const QueriesKeysValues& of, const std::vector<TensorIndex>& relative,
                                             const Operator& how) {
  if (!o_.flash) return unfused(of, relative, how);
  std::vector<TensorIndex> reads{of.query, of.key, of.value};
  reads.insert(reads.end(), relative.begin(), relative.end());
  Operator op = how;
  op.kind = K::attention_flash, op.own = sinks(), op.head_dim = m_.dim_per_head(), op.value_dim = m_.value_dim();
  return add(op, reads, {{m_.context_features(), Spread::columns}});
}

GraphBuilder::TensorIndex GraphBuilder::unfused(const QueriesKeysValues& of, const std::vector<TensorIndex>& relative,
                                                const Operator& how) {
  const std::int64_t q = m_.query_features(), context = m_.context_features();
  tokens_ = how.keys;
  const TensorIndex key =
      add({.kind = K::keys_values}, {of.key, of.value}, {{q, Spread::columns}, {context, Spread::columns}});
  tokens_ = how.tokens;
  const auto step = [&](K kind, std::int64_t head_dim, std::int64_t own = 0) {
    return Operator{.kind = kind, .own = own, .head_dim = head_dim, .causal = how.causal, .keys = how.keys};
  };
  TensorIndex x = add(step(K::attention_scores, m_.dim_per_head()), {of.query, key}, {scores(how)});
  std::vector<TensorIndex> reads{x};
  reads.insert(reads.end(), relative.begin(), relative.end());
  x = add(step(K::attention_softmax, 0, sinks()), reads, {scores(how)});
  if (m_.dropout) x = add(step(K::attention_dropout, 0), {x}, {scores(how)});
  return add(step(K::attention_context, m_.value_dim()), {x, key + 1}, {{context, Spread::columns}});
}

}  // namespace orrery::model
