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
  embedding,       // rows of the token table, plus learned positions
  embedding_norm,  // BLOOM
  embedding_dropout,
  norm,  // before attention
  qkv,
  rotary,
  relative_positions,  // projection of relative position encodings (Transformer-XL)
  attention_relative,  // Q times them, added to the scores
  keys_values,         // repeated for the heads of a group, gathered over context ranks: unfused attention only
  attention_scores,    // QKᵀ, a batched GEMM
  attention_softmax,   // scale, mask, softmax
  attention_dropout,
  attention_context,  // AV, a batched GEMM
  attention_flash,    // the four above as one kernel
  projection,
  attention_residual,  // bias, dropout, add
  mlp_norm,
  fc1,  // gate and up where gated
  activation,
  fc2,
  mlp_residual,
  final_norm,
  head,
  cross_entropy,
};
inline constexpr std::size_t kOperatorKinds = 24;
const char* name_of(OperatorKind kind);

// Over which ranks the values of a tensor are spread when operators are split.
enum class Spread : std::uint8_t {
  stream,   // each tensor rank has all features of its tokens: of all tokens, or under sequence parallel of its share
  columns,  // the features are spread over the tensor ranks
  weight,   // a matrix that two operators share; nothing moves in a pass
};

// What an operator makes: `features` values a token, or the elements of a shared matrix.
struct Tensor {
  std::int32_t producer = 0;
  std::int64_t features = 0;
  Spread spread = Spread::stream;
};

// `to` reads the tensor as its input number `slot`.
struct Edge {
  std::int32_t from = 0, to = 0, tensor = 0, slot = 0;
};

struct Operator {
  OperatorKind kind = OperatorKind::embedding;
  std::int64_t layer = -1;    // −1 embedding; = number of layers: final norm, head, loss
  std::int64_t rows = 0;      // of the weight matrix, whose columns are the features of the results
  std::int64_t vectors = 0;   // parameters a feature beside the matrix: biases, gains, rows of positions
  std::int64_t head_dim = 0;  // of attention
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
  std::int64_t sequence_length = 1;  // of attention scores
  bool flash = false;
  friend bool operator==(const GraphOptions&, const GraphOptions&) = default;
};
ModelGraph model_graph(const ModelSpec& spec, const GraphOptions& options);

// Of the whole operator; a tied head has none of its own.
std::int64_t parameters_of(const ModelGraph& graph, const Operator& op);

// Whether stages that hold these operators (`stage[i]` is that of operator i) can be run one after another: no stage
// may feed itself by way of another. One topological sort of the quotient graph says so.
bool acyclic(const ModelGraph& graph, std::span<const std::int32_t> stage);

}  // namespace orrery::model
