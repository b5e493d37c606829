#include "orrery/model/flops.hpp"

namespace orrery::model {
namespace {

// Forward FLOPs per sequence: 2 per matrix parameter that a token meets; QKᵀ and AV 2 a pair, feature and head.
struct ForwardFlops {
  WideFlops layers_linear = 0, attention = 0, head = 0;
  WideFlops causal = 0;  // of `attention`
};

void add_layer(ForwardFlops& f, const ModelSpec& spec, std::int64_t like, const Lengths& lengths) {
  const WideFlops relative =
      spec.position == Position::relative ? 1 : 0;  // projection of the encodings, and Q times them
  const bool crosses = spec.has_two_stacks() && !spec.in_encoder(like);
  const std::int64_t s = crosses ? lengths.behind_encoder() : lengths.sequence;
  const WideFlops q = spec.query_features(), encodings = relative * spec.hidden * q;
  const WideFlops of_pair = (1 + relative) * q + spec.context_features();
  f.layers_linear += 2 * s * (attention_matrices(spec) + mlp_matrices(spec, like) + encodings);
  const WideFlops pairs = attention_pairs(spec, spec.window_of(like), s);
  f.attention += 2 * pairs * of_pair;
  if (!spec.in_encoder(like)) f.causal += 2 * pairs * of_pair;
  if (!crosses) return;
  f.layers_linear += 2 * (s * cross_query_matrices(spec) + WideFlops{lengths.sequence} * cross_key_matrices(spec));
  f.attention += 2 * WideFlops{s} * lengths.sequence * (q + spec.context_features());
}

ForwardFlops forward_flops(const ModelSpec& spec, const Lengths& lengths) {
  const WideFlops s = spec.has_two_stacks() ? lengths.behind_encoder() : lengths.sequence;
  const WideFlops h = spec.hidden, more = spec.prediction_layers;
  ForwardFlops f;
  for (std::int64_t i = 0; i < spec.layers; ++i) add_layer(f, spec, i, lengths);
  for (std::int64_t i = 0; i < spec.prediction_layers; ++i) add_layer(f, spec, spec.layers - 1, lengths);
  f.layers_linear += 2 * s * more * 2 * h * h;
  f.head = 2 * (s * ((1 + more) * h * spec.vocab + head_matrices(spec)) + pooler_matrices(spec));
  return f;
}

}  // namespace

WideFlops model_flops(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences) {
  const ForwardFlops f = forward_flops(spec, lengths);
  return sequences * 3 * (f.layers_linear + f.attention + f.head);
}

WideFlops layer_flops(const ModelSpec& spec, std::int64_t layer, const Lengths& lengths) {
  ForwardFlops f;
  add_layer(f, spec, layer, lengths);
  return f.layers_linear + f.attention;
}

WideFlops head_flops(const ModelSpec& spec, const Lengths& lengths) {
  return forward_flops(spec, lengths).head;
}

WideFlops full_recompute_flops(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences) {
  const ForwardFlops f = forward_flops(spec, lengths);
  return sequences * (4 * (f.layers_linear + f.attention) + 3 * f.head);
}

WideFlops selective_recompute_flops(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences) {
  const ForwardFlops f = forward_flops(spec, lengths);
  return sequences * (3 * (f.layers_linear + f.head) + 4 * f.attention);
}

WideFlops korthikanti_selective_flops(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences) {
  const ForwardFlops f = forward_flops(spec, lengths);
  return sequences * (3 * (f.layers_linear + f.head) + 6 * f.attention);
}

WideFlops causal_saving(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences) {
  return sequences * 3 * forward_flops(spec, lengths).causal / 2;
}

}  // namespace orrery::model
