#include "orrery/model/flops.hpp"

namespace orrery::model {
namespace {

// Forward FLOPs per sequence: 2 per matrix parameter that a token meets; QKᵀ and AV 2 a pair, feature and head.
struct ForwardFlops {
  WideFlops layers_linear = 0, attention = 0, head = 0;
};

void add_layer(ForwardFlops& f, const ModelSpec& spec, std::int64_t like, std::int64_t sequence_length) {
  const WideFlops relative =
      spec.position == Position::relative ? 1 : 0;  // projection of the encodings, and Q times them
  const WideFlops q = spec.query_features(), encodings = relative * spec.hidden * q;
  f.layers_linear += 2 * sequence_length * (attention_matrices(spec) + mlp_matrices(spec, like) + encodings);
  f.attention +=
      2 * attention_pairs(spec, spec.window_of(like), sequence_length) * ((1 + relative) * q + spec.context_features());
}

ForwardFlops forward_flops(const ModelSpec& spec, std::int64_t sequence_length) {
  const WideFlops s = sequence_length, h = spec.hidden, more = spec.prediction_layers;
  ForwardFlops f;
  for (std::int64_t i = 0; i < spec.layers; ++i) add_layer(f, spec, i, sequence_length);
  for (std::int64_t i = 0; i < spec.prediction_layers; ++i) add_layer(f, spec, spec.layers - 1, sequence_length);
  f.layers_linear += 2 * s * more * 2 * h * h;
  f.head = 2 * s * (1 + more) * h * spec.vocab;
  return f;
}

}  // namespace

WideFlops model_flops(const ModelSpec& spec, std::int64_t sequence_length, std::int64_t sequences) {
  const ForwardFlops f = forward_flops(spec, sequence_length);
  return sequences * 3 * (f.layers_linear + f.attention + f.head);
}

WideFlops full_recompute_flops(const ModelSpec& spec, std::int64_t sequence_length, std::int64_t sequences) {
  const ForwardFlops f = forward_flops(spec, sequence_length);
  return sequences * (4 * (f.layers_linear + f.attention) + 3 * f.head);
}

WideFlops selective_recompute_flops(const ModelSpec& spec, std::int64_t sequence_length, std::int64_t sequences) {
  const ForwardFlops f = forward_flops(spec, sequence_length);
  return sequences * (3 * (f.layers_linear + f.head) + 4 * f.attention);
}

WideFlops korthikanti_selective_flops(const ModelSpec& spec, std::int64_t sequence_length, std::int64_t sequences) {
  const ForwardFlops f = forward_flops(spec, sequence_length);
  return sequences * (3 * (f.layers_linear + f.head) + 6 * f.attention);
}

WideFlops causal_saving(const ModelSpec& spec, std::int64_t sequence_length, std::int64_t sequences) {
  return sequences * 3 * forward_flops(spec, sequence_length).attention / 2;
}

}  // namespace orrery::model
