// Operators of the model graph, each product and its bytes counted by hand: 2 bytes an element, operands and result
// once.
#include "orrery/model/operators.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace orrery;
using namespace orrery::model;

namespace {

// Sequence 64, micro-batch 2 (128 tokens), hidden 48, 4 heads of 12, 2 key/value heads, MLP 96, vocabulary 100.
constexpr std::int64_t s = 64, b = 2, t = 128, h = 48, q = 48, kv = 24, a = 4, d = 12, f = 96, v = 100;

ModelSpec spec_of(Activation activation, Position position) {
  ModelSpec m;
  m.layers = 2, m.hidden = h, m.heads = a, m.kv_heads = 2, m.ffn_hidden = f, m.vocab = v, m.max_positions = 64;
  m.activation = activation, m.position = position;
  return m;
}

Operator only(const OperatorGraph& graph, OperatorKind kind, std::int64_t layer = 1) {
  const auto is = [&](const Operator& o) { return o.kind == kind && o.layer == layer; };
  REQUIRE(std::ranges::count_if(graph.operators, is) == 1);
  return *std::ranges::find_if(graph.operators, is);
}

void check_linear(const Operator& o, std::int64_t in, std::int64_t out, bool bias) {
  CHECK(o.rows == t);
  CHECK(o.batch == 1);
  CHECK(o.in_features == in);
  CHECK(o.out_features == out);
  CHECK(o.parameters == in * out + (bias ? out : 0));
  CHECK(o.flops.value == 2 * t * in * out);
  CHECK(o.bytes.value == 2 * (t * in + t * out + in * out));
}

void check_batched(const Operator& o, std::int64_t in, std::int64_t out) {
  CHECK(o.rows == s);
  CHECK(o.batch == b * a);
  CHECK(o.flops.value == 2 * b * a * s * in * out);
  CHECK(o.bytes.value == 2 * b * a * (s * in + in * out + s * out));
}

}  // namespace

TEST_CASE("linear layers") {
  ModelSpec m = spec_of(Activation::gelu, Position::learned);
  const OperatorGraph graph = operator_graph(m, {.sequence_length = s, .micro_batch = b});
  check_linear(only(graph, OperatorKind::qkv), h, q + 2 * kv, true);
  check_linear(only(graph, OperatorKind::projection), q, h, true);
  check_linear(only(graph, OperatorKind::fc1), h, f, true);
  check_linear(only(graph, OperatorKind::fc2), f, h, true);
  CHECK(only(graph, OperatorKind::head, 2).parameters == 0);  // the table of the embedding
  CHECK(only(graph, OperatorKind::embedding, -1).parameters == (v + 64) * h);
  CHECK(only(graph, OperatorKind::embedding, -1).bytes.value == 4 * t * h);
  m.tied_embeddings = m.bias = false, m.activation = Activation::swiglu;
  const OperatorGraph gated = operator_graph(m, {.sequence_length = s, .micro_batch = b});
  check_linear(only(gated, OperatorKind::fc1), h, 2 * f, false);
  check_linear(only(gated, OperatorKind::head, 2), h, v, false);
}

TEST_CASE("attention: batched products a head and sequence, or one kernel") {
  const ModelSpec m = spec_of(Activation::gelu, Position::relative);
  const OperatorGraph graph = operator_graph(m, {.sequence_length = s, .micro_batch = b});
  check_batched(only(graph, OperatorKind::attention_scores), d, s);
  check_batched(only(graph, OperatorKind::attention_context), s, d);
  check_batched(only(graph, OperatorKind::attention_relative), d, s);
  check_linear(only(graph, OperatorKind::relative_positions), h, q, false);
  const OperatorGraph flash = operator_graph(m, {.sequence_length = s, .micro_batch = b, .flash = true});
  check_batched(only(flash, OperatorKind::attention_flash), s, 2 * d);
}

TEST_CASE("elementwise operators read and write each value once") {
  const ModelSpec m = spec_of(Activation::swiglu, Position::rotary);
  const OperatorGraph graph = operator_graph(m, {.sequence_length = s, .micro_batch = b});
  const auto bytes = [&](OperatorKind kind, std::int64_t layer = 1) { return only(graph, kind, layer).bytes.value; };
  CHECK(bytes(OperatorKind::norm) == 2 * t * 2 * h);
  CHECK(bytes(OperatorKind::mlp_norm) == 2 * t * 2 * h);
  CHECK(bytes(OperatorKind::rotary) == 2 * t * 2 * (q + kv));
  CHECK(bytes(OperatorKind::attention_softmax) == 2 * t * 2 * a * s);
  CHECK(bytes(OperatorKind::attention_dropout) == 2 * t * 2 * a * s);
  CHECK(bytes(OperatorKind::activation) == 2 * t * (2 * f + f));
  CHECK(bytes(OperatorKind::attention_residual) == 2 * t * 3 * h);
  CHECK(bytes(OperatorKind::mlp_residual) == 2 * t * 3 * h);
  CHECK(bytes(OperatorKind::cross_entropy, 2) == 2 * t * (v + 1));
}

// What flows: the residual stream and the branch into a sum, queries and keys to the scores, values past them.
TEST_CASE("edges carry what the next operator reads") {
  const ModelSpec m = spec_of(Activation::gelu, Position::learned);
  const OperatorGraph graph = operator_graph(m, {.sequence_length = s, .micro_batch = b});
  const auto features = [&](OperatorKind from, OperatorKind to) {
    std::vector<std::int64_t> found;
    for (const OperatorEdge& e : graph.edges) {
      const Operator &x = graph.operators[static_cast<std::size_t>(e.from)],
                     &y = graph.operators[static_cast<std::size_t>(e.to)];
      if (x.kind == from && y.kind == to && y.layer == 1) found.push_back(e.features);
    }
    return found;
  };
  using Features = std::vector<std::int64_t>;
  CHECK(features(OperatorKind::qkv, OperatorKind::attention_scores) == Features{q + kv});
  CHECK(features(OperatorKind::qkv, OperatorKind::attention_context) == Features{kv});
  CHECK(features(OperatorKind::attention_scores, OperatorKind::attention_softmax) == Features{a * s});
  CHECK(features(OperatorKind::attention_context, OperatorKind::projection) == Features{q});
  CHECK(features(OperatorKind::projection, OperatorKind::attention_residual) == Features{h});
  CHECK(features(OperatorKind::mlp_residual, OperatorKind::attention_residual) == Features{h});
  CHECK(features(OperatorKind::fc1, OperatorKind::activation) == Features{f});
}
