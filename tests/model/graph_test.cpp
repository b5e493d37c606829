// The model graph: its weights and what flows along its edges, counted by hand.
#include "orrery/model/graph.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace orrery::model::graph_test {

namespace {

// Hidden 48, 4 heads of 12, 2 key/value heads, MLP 96, vocabulary 100, sequence 64.
constexpr std::int64_t s = 64, h = 48, q = 48, kv = 24, a = 4, f = 96, v = 100;

ModelSpec spec_of(Activation activation, Position position) {
  ModelSpec m;
  m.layers = 2, m.hidden = h, m.heads = a, m.kv_heads = 2, m.ffn_hidden = f, m.vocab = v, m.max_positions = 64;
  m.activation = activation, m.position = position;
  return m;
}

const Operator& only(const ModelGraph& graph, OperatorKind kind, std::int64_t layer = 1) {
  const auto is = [&](const Operator& o) { return o.kind == kind && o.layer == layer; };
  REQUIRE(std::ranges::count_if(graph.operators, is) == 1);
  return *std::ranges::find_if(graph.operators, is);
}

using Features = std::vector<std::int64_t>;

Features reads(const ModelGraph& graph, const Operator& op) {
  Features features;
  for (std::int32_t e = op.first_edge; e < op.first_edge + op.reads; ++e)
    features.push_back(
        graph.tensors[static_cast<std::size_t>(graph.edges[static_cast<std::size_t>(e)].tensor)].features);
  return features;
}
Features makes(const ModelGraph& graph, const Operator& op) {
  Features features;
  for (std::int32_t t = op.first_tensor; t < op.first_tensor + op.tensors; ++t)
    features.push_back(graph.tensors[static_cast<std::size_t>(t)].features);
  return features;
}

}  // namespace

TEST_CASE("weights: rows times what is made, and a vector for each bias, gain or position") {
  ModelSpec m = spec_of(Activation::gelu, Position::learned);
  const ModelGraph graph = model_graph(m, {.sequence_length = s});
  const auto parameters = [](const ModelGraph& g, OperatorKind kind, std::int64_t layer = 1) {
    return parameters_of(g, only(g, kind, layer));
  };
  CHECK(parameters(graph, OperatorKind::embedding, -1) == (v + 64) * h);
  CHECK(parameters(graph, OperatorKind::norm) == 2 * h);
  CHECK(parameters(graph, OperatorKind::qkv) == (h + 1) * (q + 2 * kv));
  CHECK(parameters(graph, OperatorKind::projection) == (q + 1) * h);
  CHECK(parameters(graph, OperatorKind::fc1) == (h + 1) * f);
  CHECK(parameters(graph, OperatorKind::fc2) == (f + 1) * h);
  CHECK(parameters(graph, OperatorKind::head, 2) == 0);  // the table of the embedding
  m.tied_embeddings = m.bias = m.norm_bias = false, m.activation = Activation::swiglu, m.position = Position::relative;
  const ModelGraph gated = model_graph(m, {.sequence_length = s});
  CHECK(parameters(gated, OperatorKind::embedding, -1) == v * h);
  CHECK(parameters(gated, OperatorKind::norm) == h);
  CHECK(parameters(gated, OperatorKind::fc1) == h * 2 * f);
  CHECK(parameters(gated, OperatorKind::head, 2) == h * v);
  CHECK(parameters(gated, OperatorKind::relative_positions) == h * q);
}

TEST_CASE("what an operator reads is what another makes") {
  const ModelGraph graph = model_graph(spec_of(Activation::swiglu, Position::rotary), {.sequence_length = s});
  const auto read = [&](OperatorKind kind, std::int64_t layer = 1) { return reads(graph, only(graph, kind, layer)); };
  CHECK(read(OperatorKind::embedding, -1).empty());
  CHECK(read(OperatorKind::norm) == Features{h});
  CHECK(read(OperatorKind::qkv) == Features{h});
  CHECK(read(OperatorKind::rotary) == Features{q, kv});
  CHECK(read(OperatorKind::keys_values) == Features{kv, kv});
  CHECK(read(OperatorKind::attention_scores) == Features{q, q});  // keys repeated for the heads of a group
  CHECK(read(OperatorKind::attention_softmax) == Features{a * s});
  CHECK(read(OperatorKind::attention_dropout) == Features{a * s});
  CHECK(read(OperatorKind::attention_context) == Features{a * s, q});
  CHECK(read(OperatorKind::projection) == Features{q});
  CHECK(read(OperatorKind::attention_residual) == Features{h, h});
  CHECK(read(OperatorKind::activation) == Features{2 * f});
  CHECK(read(OperatorKind::fc2) == Features{f});
  CHECK(read(OperatorKind::head, 2) == Features{h, v * h});  // the table of the embedding
  CHECK(read(OperatorKind::cross_entropy, 2) == Features{v});
  CHECK(makes(graph, only(graph, OperatorKind::qkv)) == Features{q, kv, kv});
  const ModelGraph flash =
      model_graph(spec_of(Activation::gelu, Position::relative), {.sequence_length = s, .flash = true});
  CHECK(reads(flash, only(flash, OperatorKind::attention_flash)) == Features{q, kv, kv, a * s});
  CHECK(reads(flash, only(flash, OperatorKind::attention_relative)) == Features{q, q});
}

TEST_CASE("edges run forward, and each is among those of the operator that reads it") {
  const ModelGraph graph = model_graph(spec_of(Activation::gelu, Position::learned), {.sequence_length = s});
  std::size_t next = 0;
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    CHECK(op.first_edge == static_cast<std::int32_t>(next));
    for (std::int32_t slot = 0; slot < op.reads; ++slot, ++next) {
      const Edge& e = graph.edges[next];
      CHECK(e.from < e.to);
      CHECK(e.to == static_cast<std::int32_t>(i));
      CHECK(e.slot == slot);
      CHECK(graph.tensors[static_cast<std::size_t>(e.tensor)].producer == e.from);
    }
  }
  CHECK(next == graph.edges.size());
}

}  // namespace orrery::model::graph_test
