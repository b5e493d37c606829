// The transformer as a graph of operators, before anything is split: what each computes, how much, and what flows
// between.
//
// Flat form of the Boost.Graph graph that sim/model builds; operators stand in topological order.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "orrery/core/units.hpp"
#include "orrery/model/spec.hpp"

namespace orrery::model {

enum class OperatorKind : std::uint8_t {
  embedding,       // token table lookup, plus learned positions
  embedding_norm,  // BLOOM
  embedding_dropout,
  norm,  // before attention
  qkv,
  rotary,
  relative_positions,  // projection of relative position encodings (Transformer-XL)
  attention_relative,  // Q times them, added to the scores
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
const char* name_of(OperatorKind kind);

struct Operator {
  OperatorKind kind = OperatorKind::embedding;
  std::int64_t layer = -1;  // −1 embedding; = number of layers: final norm, head, loss
  // Matrix product per token (projections) or per batched head (attention): rows · out_features · in_features.
  std::int64_t batch = 1, rows = 0, in_features = 0, out_features = 0;
  std::int64_t parameters = 0;
  Flops flops{};  // forward pass of one micro-batch; 0 where no matrix product is done
  Bytes bytes{};  // forward: operands and results once each, 2 bytes an element
};

// `features` values for each token flow along the edge (scores: heads · sequence).
struct OperatorEdge {
  std::int32_t from = 0, to = 0;
  std::int64_t features = 0;
};

struct OperatorGraph {
  std::vector<Operator> operators;
  std::vector<OperatorEdge> edges;
};

// The whole model, or a part of it: then one operator before and one behind the part stand for the rest.
struct GraphOptions {
  std::int64_t sequence_length = 0;
  std::int64_t micro_batch = 1;
  bool flash = false;
  std::int64_t first_layer = 0, layers = -1;  // −1 = to the last
  bool embedding = true, head = true;
};
OperatorGraph operator_graph(const ModelSpec& spec, const GraphOptions& options);

// Edges that run between stages, where `stage[i]` is the stage of operator i: the messages of the pipeline.
std::vector<OperatorEdge> cut_edges(const OperatorGraph& graph, std::span<const std::int32_t> stage);

}  // namespace orrery::model
