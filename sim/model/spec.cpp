#include "orrery/model/spec.hpp"

#include "orrery/model/graph.hpp"

namespace orrery::model {
namespace {

// Those that `counts` takes of each operator.
template <class Counts>
std::int64_t sum_of(const ModelSpec& spec, Counts counts) {
  const ModelGraph graph = model_graph(spec, {});
  std::int64_t sum = 0;
  for (const Operator& op : graph.operators) sum = checked_add(sum, counts(op, parameters_of(graph, op)));
  return sum;
}

// Of an encoder, what its heads have beside the token table.
bool of_heads(const ModelSpec& spec, const Operator& op) {
  return spec.kind == ModelKind::encoder && op.kind >= OperatorKind::next_sentence && op.kind <= OperatorKind::head;
}

}  // namespace

std::int64_t parameter_count(const ModelSpec& spec) {
  return sum_of(
      spec, [&](const Operator& op, std::int64_t n) { return op.layer <= spec.layers && !of_heads(spec, op) ? n : 0; });
}

std::int64_t head_parameters(const ModelSpec& spec) {
  return sum_of(spec, [&](const Operator& op, std::int64_t n) { return of_heads(spec, op) ? n : 0; });
}

std::int64_t prediction_parameters(const ModelSpec& spec) {
  return sum_of(spec, [&](const Operator& op, std::int64_t n) { return op.layer > spec.layers ? n : 0; });
}

std::int64_t active_parameters(const ModelSpec& spec) {
  return sum_of(spec, [&](const Operator& op, std::int64_t n) {
    if (op.layer > spec.layers || of_heads(spec, op)) return std::int64_t{0};
    return op.matrices == 1 ? n : n / op.matrices * spec.experts.top_k;
  });
}

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
