// Parameters in closed form: what the operators of the model graph have (parameters_of), without making the graph.
// Sums are of 128 bits: a figure is at most 2^31, a product of three below 2^93.
#include "orrery/model/spec.hpp"

namespace orrery::model {
namespace {

using Count = Int128;

Count norm(const ModelSpec& m, std::int64_t width) {
  return m.norm == Norm::layer_norm && m.norm_bias ? 2 * Count{width} : width;
}

// A matrix of rows × columns and the bias of its columns.
Count linear(std::int64_t rows, std::int64_t columns, bool bias) {
  return (Count{rows} + (bias ? 1 : 0)) * columns;
}

Count positions(const ModelSpec& m) {
  return m.position == Position::learned ? m.max_positions : 0;
}

// The table of a stack where its layers share one.
Count buckets(const ModelSpec& m) {
  return m.position == Position::relative_bias ? Count{m.position_buckets} * m.heads : 0;
}

Count latent_queries_keys_values(const ModelSpec& m) {
  const LatentAttention& l = m.latent_attention;
  const std::int64_t narrow = l.query_rank > 0 ? l.query_rank : m.hidden;
  const Count down = l.query_rank > 0 ? linear(m.hidden, narrow, m.qkv_bias) + norm(m, narrow) : 0;
  return down + linear(narrow, m.query_features(), false) +
         linear(m.hidden, l.key_value_rank + l.rope_dim, m.qkv_bias) + norm(m, l.key_value_rank) +
         linear(l.key_value_rank, m.heads * (l.nope_dim + l.value_dim), false);
}

Count queries_keys_values(const ModelSpec& m) {
  if (m.latent()) return latent_queries_keys_values(m);
  const std::int64_t q = m.query_features(), kv = m.kv_features();
  const Count gains = m.qk_norm == QkNorm::all ? q + kv : m.qk_norm == QkNorm::head ? 2 * m.dim_per_head() : 0;
  return linear(m.hidden, q + 2 * kv, m.bias || m.qkv_bias) + gains;
}

Count core_and_projection(const ModelSpec& m) {
  return (m.attention_sinks ? m.heads : 0) + linear(m.context_features(), m.hidden, m.bias || m.projection_bias);
}

Count attention(const ModelSpec& m) {
  const Count encodings = m.position == Position::relative ? linear(m.hidden, m.query_features(), false) : 0;
  return queries_keys_values(m) + encodings + core_and_projection(m);
}

Count cross_attention(const ModelSpec& m) {
  const std::int64_t q = m.query_features(), kv = m.kv_features();
  return norm(m, m.hidden) + linear(m.hidden, q + 2 * kv, m.bias || m.qkv_bias) + core_and_projection(m);
}

Count mlp(const ModelSpec& m, std::int64_t width, bool bias) {
  return linear(m.hidden, m.gated() ? 2 * width : width, bias) + linear(width, m.hidden, bias);
}

// The dense MLP of a layer, or its router with `experts` of the routed experts and those that are shared.
Count mlp_of_layer(const ModelSpec& m, std::int64_t layer, std::int64_t experts) {
  const Experts& e = m.experts;
  const bool bias = m.bias || m.mlp_bias;
  if (!e.in_layer(layer)) return mlp(m, m.ffn_hidden, bias);
  Count sum = linear(m.hidden, e.count, e.bias) + (e.selection_bias ? e.count : 0) + experts * mlp(m, e.hidden, e.bias);
  if (e.shared_hidden > 0) sum += mlp(m, e.shared_hidden, bias) + (e.shared_gate ? m.hidden : 0);
  return sum;
}

Count norms_of_layer(const ModelSpec& m) {
  const int before = m.norm_place == NormPlace::before || m.norm_place == NormPlace::both ? 1 : 0;
  const int behind = m.norm_place != NormPlace::before ? 1 : 0;
  const int of_mlp = m.parallel == Parallel::one_norm ? 0 : before;
  return (before + of_mlp + 2 * behind) * norm(m, m.hidden);
}

Count layer(const ModelSpec& m, std::int64_t like, std::int64_t experts) {
  const bool crosses = m.has_two_stacks() && !m.in_encoder(like);
  return norms_of_layer(m) + attention(m) + (crosses ? cross_attention(m) : 0) + mlp_of_layer(m, like, experts);
}

// What stands before the layers, at the end of each stack and at the end of all.
Count beside_layers(const ModelSpec& m) {
  const int stacks = m.has_two_stacks() ? 2 : 1;
  const Count tables = (Count{m.vocab} + stacks * positions(m) + m.token_types) * m.hidden + stacks * buckets(m);
  const Count pooled = m.pooler ? linear(m.hidden, m.hidden, true) : 0;
  const int norms = (m.embedding_norm ? stacks : 0) + (m.norm_place != NormPlace::after_sum ? stacks : 0);
  return tables + pooled + norms * norm(m, m.hidden);
}

Count head(const ModelSpec& m, bool own_matrix) {
  const Count transform = m.head_transform ? linear(m.hidden, m.hidden, true) + norm(m, m.hidden) : 0;
  return transform + linear(own_matrix ? m.hidden : 0, m.vocab, m.head_bias);
}

// Of an encoder, what is counted apart.
Count heads(const ModelSpec& m) {
  return head(m, !m.tied_embeddings) + (m.pooler ? linear(m.hidden, kSentenceClasses, true) : 0);
}

// With so many of the routed experts of each layer.
std::int64_t with_experts(const ModelSpec& m, std::int64_t experts) {
  Count sum = beside_layers(m) + (m.kind == ModelKind::encoder ? 0 : heads(m));
  for (std::int64_t i = 0; i < m.layers; ++i) sum += layer(m, i, experts);
  return checked_narrow(sum);
}

}  // namespace

std::int64_t parameter_count(const ModelSpec& spec) {
  return with_experts(spec, spec.experts.count);
}

std::int64_t active_parameters(const ModelSpec& spec) {
  return with_experts(spec, spec.experts.top_k);
}

std::int64_t head_parameters(const ModelSpec& spec) {
  return spec.kind == ModelKind::encoder ? checked_narrow(heads(spec)) : 0;
}

std::int64_t prediction_parameters(const ModelSpec& spec) {
  const Count module = linear(2 * spec.hidden, spec.hidden, false) + 3 * norm(spec, spec.hidden) +
                       layer(spec, spec.layers - 1, spec.experts.count) + head(spec, false);
  return checked_narrow(spec.prediction_layers * module);
}

}  // namespace orrery::model
