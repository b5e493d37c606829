#include "orrery/model/flops.hpp"

namespace orrery::model {
namespace {

// Forward FLOPs per sequence: 2 per matrix parameter and token; QKᵀ and AV 2·s²·a·d each.
struct ForwardFlops {
  WideFlops layers_linear = 0, attention = 0, head = 0;
};

ForwardFlops forward_flops(const ModelSpec& spec, std::int64_t sequence_length) {
  const WideFlops s = sequence_length, h = spec.hidden, q = spec.query_features(), kv = spec.kv_features();
  const WideFlops mlp = (spec.gated() ? 3 : 2) * h * spec.ffn_hidden;
  const WideFlops relative =
      spec.position == Position::relative ? 1 : 0;  // projection of the encodings, and Q times them
  return {.layers_linear = 2 * s * spec.layers * (h * (q + 2 * kv) + q * h + mlp + relative * h * q),
          .attention = (4 + 2 * relative) * s * s * q * spec.layers,
          .head = 2 * s * h * spec.vocab};
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
