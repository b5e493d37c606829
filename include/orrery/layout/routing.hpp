// How the tokens of a micro-batch spread over the routed experts of each layer.
//
// A rank sends its tokens, top_k copies each, to experts by the shares of the layer, the same for every rank and
// micro-batch; copies are whole, the largest remainders rounded up, and no expert is given more than one of a token.
//   balanced   every expert the same
//   power law  aiconfigurator, collector/helper.py: loads are samples x of the density x^-exponent on [1, 0.8 · T] for
//              the T tokens of all ranks of an expert group (T · top_k > experts; else on [0.01, 2]), scaled to
//              T · top_k; none above T, what is beyond goes to the emptiest. Here the samples are the quantiles
//              (j + 1/2) / experts, and the seed says for each layer which expert is which.
//   loads      shares of a file
// Capacity (Megatron-LM, --moe-expert-capacity-factor): an expert takes at most ⌈factor · copies / experts⌉ rows of
// what a rank sends, the rest is dropped; padded, it is given just as many (--moe-pad-expert-input-to-capacity).
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "orrery/model/spec.hpp"

namespace orrery::layout {

struct Layout;

// [layer][expert] shares of the layer, each layer's sum to 1; empty for layers without experts.
using ExpertLoads = std::vector<std::vector<double>>;

struct Routing {
  double exponent = 0;  // of the power law; 0 = none
  std::int64_t seed = 1;
  std::shared_ptr<const ExpertLoads> loads;  // of a file
  double capacity = 0;                       // factor; 0 = dropless
  bool pad = false;                          // to the capacity

  bool balanced() const { return exponent == 0 && !loads; }
  bool alike() const { return balanced() || (capacity > 0 && pad); }  // every rank computes as many rows
  friend bool operator==(const Routing& a, const Routing& b) {
    const bool same = a.loads == b.loads || (a.loads && b.loads && *a.loads == *b.loads);
    return same && a.exponent == b.exponent && a.seed == b.seed && a.capacity == b.capacity && a.pad == b.pad;
  }
};

// Rows of one layer. Where every expert has as many, `of_expert` is empty.
struct ExpertRows {
  std::int64_t copies = 0;              // that a rank sends, padding with them
  std::vector<std::int64_t> of_expert;  // [expert] of them
  std::int64_t experts = 1, ranks = 1, sharing = 1;

  // What the rank `place` of the expert group computes: of all ranks that send to its experts.
  std::int64_t received(std::int64_t place) const;
  std::int64_t fullest() const;  // of the ranks
  // [place] what a rank sends there; empty where they are alike.
  std::vector<std::int64_t> sent() const;
  // [expert of the rank] of what it computes; empty where they are alike.
  std::vector<std::int64_t> grouped(std::int64_t place) const;
};

// `shard_tokens`: that a rank sends. Layers behind the last (modules that predict further tokens) have the last's.
ExpertRows expert_rows(const model::Experts& experts, std::int64_t layers, const Layout& layout,
                       std::int64_t shard_tokens, const Routing& routing, std::int64_t layer);

// Rows of the fullest rank over the mean, of the layers that have experts: their mean.
double load_factor(const model::ModelSpec& spec, const Layout& layout, std::int64_t shard_tokens,
                   const Routing& routing);
// Of all copies those that no expert takes.
double dropped_share(const model::ModelSpec& spec, const Layout& layout, std::int64_t shard_tokens,
                     const Routing& routing);

// [rank of an expert group] the first that computes the same in each layer.
std::vector<std::int32_t> alike_places(const model::ModelSpec& spec, const Layout& layout, std::int64_t shard_tokens,
                                       const Routing& routing);

// Loads of the law for `tokens` of all ranks, in descending order; their sum is tokens · top_k.
std::vector<double> power_law_loads(const model::Experts& experts, std::int64_t tokens, double exponent);

}  // namespace orrery::layout
