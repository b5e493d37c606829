// Mixture of experts and latent attention, as configuration files give them.
#pragma once
#include <cstdint>

namespace orrery::model {

enum class Router : std::uint8_t { softmax, sigmoid };

// Layers whose MLP is several, of which a router chooses for each token.
struct Experts {
  std::int64_t count = 0;          // 0 = every layer is dense
  std::int64_t top_k = 0;          // those a token goes to
  std::int64_t hidden = 0;         // width of one
  std::int64_t shared = 0;         // experts that every token goes to beside, run as one
  std::int64_t shared_hidden = 0;  // width of them together
  std::int64_t first_dense = 0;    // layers in front that have none
  std::int64_t every = 1;          // behind those each so manyth layer has them
  std::int64_t groups = 1;         // the experts stand in so many, of which a token goes to the best
  std::int64_t top_groups = 1;
  Router router = Router::softmax;
  bool bias = false;            // of the router and of the experts
  bool clamped = false;         // gate and up are clamped before the activation (gpt-oss: swiglu_limit)
  bool selection_bias = false;  // added to the scores for the choice alone
  bool shared_gate = false;     // the shared experts' output times a sigmoid

  bool in_layer(std::int64_t layer) const { return count > 0 && layer >= first_dense && (layer + 1) % every == 0; }
  friend bool operator==(const Experts&, const Experts&) = default;
};

// Queries, and keys with values, made from a narrow latent (DeepSeek-V2, section 2.1).
struct LatentAttention {
  std::int64_t query_rank = 0;      // 0 = queries come from the stream
  std::int64_t key_value_rank = 0;  // 0 = no latent attention
  std::int64_t nope_dim = 0;        // of a head, not rotated
  std::int64_t rope_dim = 0;        // rotated; the same key for all heads
  std::int64_t value_dim = 0;

  std::int64_t key_dim() const { return nope_dim + rope_dim; }
  friend bool operator==(const LatentAttention&, const LatentAttention&) = default;
};

}  // namespace orrery::model
