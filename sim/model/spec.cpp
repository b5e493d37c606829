#include "orrery/model/spec.hpp"

namespace orrery::model {

std::int64_t attention_matrices(const ModelSpec& spec) {
  const std::int64_t h = spec.hidden, q = spec.query_features(), out = spec.context_features() * h;
  if (!spec.latent()) return h * (q + 2 * spec.kv_features()) + out;
  const LatentAttention& l = spec.latent_attention;
  const std::int64_t query = l.query_rank > 0 ? l.query_rank * (h + q) : h * q;
  return query + h * (l.key_value_rank + l.rope_dim) + l.key_value_rank * spec.heads * (l.nope_dim + l.value_dim) + out;
}

std::int64_t mlp_matrices(const ModelSpec& spec, std::int64_t layer) {
  const Experts& e = spec.experts;
  const std::int64_t mlp = (spec.gated() ? 3 : 2) * spec.hidden;
  if (!e.in_layer(layer)) return mlp * spec.ffn_hidden;
  return mlp * (e.top_k * e.hidden + e.shared_hidden) + spec.hidden * e.count;
}

std::int64_t cross_query_matrices(const ModelSpec& spec) {
  return spec.hidden * (spec.query_features() + spec.context_features());
}
std::int64_t cross_key_matrices(const ModelSpec& spec) {
  return spec.hidden * 2 * spec.kv_features();
}

std::int64_t head_matrices(const ModelSpec& spec) {
  return spec.head_transform ? spec.hidden * spec.hidden : 0;
}
std::int64_t pooler_matrices(const ModelSpec& spec) {
  return spec.pooler ? spec.hidden * (spec.hidden + kSentenceClasses) : 0;
}

std::int64_t attention_pairs(const ModelSpec& spec, std::int64_t window, std::int64_t sequence_length) {
  const std::int64_t s = sequence_length, w = window;
  if (w == 0 || w >= s) return checked_mul(s, s);
  if (spec.attention_chunks) return checked_add(s / w * checked_mul(w, w), (s % w) * (s % w));
  return checked_mul(s, s) - checked_mul(s - w, s - w + 1);
}

}  // namespace orrery::model
