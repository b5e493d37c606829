// A model as one graph of operators, before anything is split: which operators there are, what flows along each edge,
// and how large the matrices are. Stages, shards, kernels, saved tensors and messages are read off it (layout room).
//
// Flat form of the Boost.Graph graph that sim/model/graph.cpp builds and checks; operators stand in the order in which
// a rank runs them, which is a topological order of the edges.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "orrery/core/units.hpp"
#include "orrery/model/spec.hpp"

namespace orrery::model {

// One file each in sim/layout/operators, which says how it is split, which kernels it runs and what it saves.
enum class OperatorKind : std::uint8_t {
  embedding,       // rows of the token table, plus learned positions and types of tokens
  embedding_norm,  // BLOOM
  embedding_dropout,
  norm,  // before attention
  qkv,
  latent_down,  // query or key-value latent of all tokens
  latent_norm,
  latent_up,  // queries of a latent
  latent_keys_values,
  qk_norm,
  rotary,
  relative_bias,       // of each head and distance, from a table that the layers of a stack share (T5)
  relative_positions,  // projection of relative position encodings (Transformer-XL)
  attention_relative,  // Q times them, added to the scores
  keys_values,         // repeated for the heads of a group, gathered over context ranks: unfused attention only
  attention_scores,    // QKᵀ, a batched GEMM
  attention_softmax,   // scale, mask, softmax
  attention_dropout,
  attention_context,  // AV, a batched GEMM
  attention_flash,    // the four above as one kernel
  projection,
  attention_post_norm,
  attention_residual,  // bias, dropout, add
  cross_norm,          // of a decoder's attention to an encoder
  cross_query,
  cross_keys_values,  // of what the encoder makes
  cross_projection,
  cross_post_norm,
  cross_residual,
  mlp_norm,
  fc1,  // gate and up where gated
  activation,
  fc2,
  router,      // which experts a token goes to, with which weights
  permute,     // a copy of each token for each of its experts, in their order
  dispatch,    // the copies to the ranks of their experts
  expert_fc1,  // of all experts of a rank, each with its own rows
  expert_activation,
  expert_fc2,
  combine,    // and back
  unpermute,  // the sum of the copies
  shared_fc1,
  shared_activation,
  shared_fc2,
  shared_gate,
  expert_sum,  // of routed and shared experts
  mlp_post_norm,
  mlp_residual,
  prediction_join,  // of the stream and the embedding of the token ahead, projected
  encoder_norm,     // behind the last layer of an encoder
  final_norm,
  pooler,         // of the first token of each sequence
  next_sentence,  // classifier of that, and its loss
  head_dense,     // before the head of an encoder
  head_activation,
  head_norm,
  head,
  logit_cap,
  cross_entropy,
};
inline constexpr std::size_t kOperatorKinds = static_cast<std::size_t>(OperatorKind::cross_entropy) + 1;
const char* name_of(OperatorKind kind);

// Over which ranks the values of a tensor are spread when operators are split.
enum class Spread : std::uint8_t {
  stream,    // each tensor rank has all features of its tokens: of all tokens, or under sequence parallel of its share
  columns,   // the features are spread over the tensor ranks
  weight,    // a matrix that two operators share; nothing moves in a pass
  copies,    // of the tokens a rank has of the stream, one for each expert chosen
  received,  // the copies that the experts of a rank are given
  received_columns,  // their features, spread over the ranks that share each expert
  sequences,         // one row a sequence, on each rank
};

// Whose positions a tensor has rows for: those of the model, or of the decoder behind an encoder.
enum class Tokens : std::uint8_t { first, decoder };

// What an operator makes: `features` values a token, or the elements of a shared matrix.
struct Tensor {
  std::int32_t producer = 0;
  std::int64_t features = 0;
  Spread spread = Spread::stream;
  Tokens tokens = Tokens::first;
};

// `to` reads the tensor as its input number `slot`.
struct Edge {
  std::int32_t from = 0, to = 0, tensor = 0, slot = 0;
};

struct Operator {
  OperatorKind kind = OperatorKind::embedding;
  // −1 embedding; = number of layers: final norm, head, loss; above it: modules that predict further tokens.
  std::int64_t layer = -1;
  std::int64_t rows = 0;      // of the weight matrix, whose columns are the features of the results
  std::int64_t vectors = 0;   // parameters a feature beside the matrix: biases, gains, rows of positions
  std::int64_t matrices = 1;  // so many of these: one for each expert
  std::int64_t own = 0;       // parameters that are no matrix and no vector of the features: gains of one head, sinks
  std::int64_t head_dim = 0;  // of attention
  std::int64_t value_dim = 0;
  std::int64_t window = 0;                     // positions that a query looks back; 0 = all
  bool causal = true;                          // of attention: a query sees no key behind it
  Tokens tokens = Tokens::first;               // that it works on; of attention its queries
  Tokens keys = Tokens::first;                 // of attention
  std::int32_t first_tensor = 0, tensors = 0;  // results
  std::int32_t first_edge = 0, reads = 0;      // of ModelGraph::edges
};

struct ModelGraph {
  ModelSpec spec;
  std::vector<Operator> operators;
  std::vector<Tensor> tensors;
  std::vector<Edge> edges;  // by `to`, then `slot`
};

struct GraphOptions {
  std::int64_t sequence_length = 1;          // of attention scores
  std::int64_t decoder_sequence_length = 0;  // of a decoder behind an encoder; 0 = as long
  bool flash = false;
  friend bool operator==(const GraphOptions&, const GraphOptions&) = default;
};
ModelGraph model_graph(const ModelSpec& spec, const GraphOptions& options);

// Of the whole operator; the matrix of a tied head is that of the embedding.
std::int64_t parameters_of(const ModelGraph& graph, const Operator& op);

// Whether stages that hold these operators (`stage[i]` is that of operator i) can be run one after another: no stage
// may feed itself by way of another. One topological sort of the quotient graph says so.
bool acyclic(const ModelGraph& graph, std::span<const std::int32_t> stage);

}  // namespace orrery::model
