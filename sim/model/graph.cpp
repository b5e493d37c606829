// The model graph, built with Boost.Graph and handed out flat in topological order.
#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/topological_sort.hpp>

#include "orrery/core/error.hpp"
#include "orrery/model/operators.hpp"

namespace orrery::model {
namespace {

using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Operator, OperatorEdge>;
using Node = boost::graph_traits<Graph>::vertex_descriptor;
using K = OperatorKind;

class Builder {
 public:
  Builder(const ModelSpec& spec, const GraphOptions& options)
      : m_(spec),
        o_(options),
        flash_(options.flash),
        s_(options.sequence_length),
        tokens_(checked_mul(s_, options.micro_batch)),
        b_(options.micro_batch) {}

  Graph build() {
    const std::int64_t end = o_.layers < 0 ? m_.layers : o_.first_layer + o_.layers;
    layer_ = o_.first_layer - 1;
    Node residual = o_.embedding ? embedding() : stand_in(layer_ < 0 ? K::embedding : K::mlp_residual);
    for (layer_ = o_.first_layer; layer_ < end; ++layer_) {
      residual = attention_block(residual);
      residual = mlp_block(residual);
    }
    const Node norm =
        elementwise(end < m_.layers ? K::norm : K::final_norm, residual, m_.hidden, m_.hidden, norm_parameters());
    if (o_.head) head(norm);
    return graph_;
  }

 private:
  Node add(const Operator& op, Node from, std::int64_t features) {
    const Node node = boost::add_vertex(op, graph_);
    boost::add_edge(from, node, OperatorEdge{0, 0, features}, graph_);
    return node;
  }
  std::int64_t norm_parameters() const {
    return m_.norm == Norm::layer_norm && m_.norm_bias ? 2 * m_.hidden : m_.hidden;
  }
  // Reads `in` and writes `out` values a token.
  Node elementwise(K kind, Node from, std::int64_t in, std::int64_t out, std::int64_t parameters) {
    const Bytes bytes{2 * checked_mul(tokens_, in + out)};
    return add({.kind = kind,
                .layer = layer_,
                .rows = tokens_,
                .in_features = in,
                .out_features = out,
                .parameters = parameters,
                .bytes = bytes},
               from, in);
  }
  Node linear(K kind, Node from, std::int64_t in, std::int64_t out, bool bias) {
    const std::int64_t weight = checked_mul(in, out);
    return add({.kind = kind,
                .layer = layer_,
                .rows = tokens_,
                .in_features = in,
                .out_features = out,
                .parameters = weight + (bias ? out : 0),
                .flops = {checked_mul(2 * tokens_, weight)},
                .bytes = {2 * (checked_mul(tokens_, in + out) + weight)}},
               from, in);
  }
  // One matrix product a head and sequence: rows s, `in` summed over, `out` columns.
  Node batched(K kind, Node from, std::int64_t in, std::int64_t out, std::int64_t edge_features) {
    const std::int64_t batch = b_ * m_.heads;
    return add({.kind = kind,
                .layer = layer_,
                .batch = batch,
                .rows = s_,
                .in_features = in,
                .out_features = out,
                .flops = {checked_mul(checked_mul(2 * batch, s_), checked_mul(in, out))},
                .bytes = {2 * checked_mul(batch, s_ * in + in * out + s_ * out)}},
               from, edge_features);
  }

  // For what is before the part: its last operator.
  Node stand_in(K kind) {
    return boost::add_vertex(Operator{.kind = kind, .layer = layer_, .rows = tokens_, .out_features = m_.hidden},
                             graph_);
  }

  void head(Node norm) {
    const Node logits = linear(K::head, norm, m_.hidden, m_.vocab, false);
    if (m_.tied_embeddings) graph_[logits].parameters = 0;
    elementwise(K::cross_entropy, logits, m_.vocab, 1, 0);
  }

  Node embedding() {
    const std::int64_t positions = m_.position == Position::learned ? m_.max_positions : 0;
    Node node = boost::add_vertex(Operator{.kind = K::embedding,
                                           .rows = tokens_,
                                           .in_features = 1,
                                           .out_features = m_.hidden,
                                           .parameters = checked_mul(m_.vocab + positions, m_.hidden),
                                           .bytes = {4 * tokens_ * m_.hidden}},
                                  graph_);
    if (m_.embedding_norm) node = elementwise(K::embedding_norm, node, m_.hidden, m_.hidden, norm_parameters());
    if (m_.dropout) node = elementwise(K::embedding_dropout, node, m_.hidden, m_.hidden, 0);
    return node;
  }

  Node attention_block(Node residual) {
    const std::int64_t q = m_.query_features(), kv = m_.kv_features(), d = m_.dim_per_head();
    const Node norm = elementwise(K::norm, residual, m_.hidden, m_.hidden, norm_parameters());
    Node qkv = linear(K::qkv, norm, m_.hidden, q + 2 * kv, m_.bias || m_.qkv_bias);
    if (m_.position == Position::rotary) qkv = elementwise(K::rotary, qkv, q + kv, q + kv, 0);
    Node core = qkv;
    if (m_.position == Position::relative) {
      // The encodings are taken as projected for each sequence (micro-batch 1, as in training at this size).
      core = linear(K::relative_positions, qkv, m_.hidden, q, false);
      graph_[boost::edge(qkv, core, graph_).first].features = 0;  // order only: the encodings are constants
      core = batched(K::attention_relative, core, d, s_, q);
    }
    if (flash_) {
      core = batched(K::attention_flash, core, s_, 2 * d, q + 2 * kv);
    } else {
      core = batched(K::attention_scores, core, d, s_, q + kv);
      core = elementwise(K::attention_softmax, core, m_.heads * s_, m_.heads * s_, 0);
      if (m_.dropout) core = elementwise(K::attention_dropout, core, m_.heads * s_, m_.heads * s_, 0);
      core = batched(K::attention_context, core, s_, d, m_.heads * s_);
      boost::add_edge(qkv, core, OperatorEdge{0, 0, kv}, graph_);
    }
    const Node projection = linear(K::projection, core, q, m_.hidden, m_.bias);
    return residual_add(K::attention_residual, projection, residual);
  }

  Node mlp_block(Node residual) {
    const std::int64_t f = m_.ffn_hidden, up = m_.gated() ? 2 * f : f;
    const Node norm = elementwise(K::mlp_norm, residual, m_.hidden, m_.hidden, norm_parameters());
    const Node fc1 = linear(K::fc1, norm, m_.hidden, up, m_.bias);
    const Node activation = elementwise(K::activation, fc1, up, f, 0);
    return residual_add(K::mlp_residual, linear(K::fc2, activation, f, m_.hidden, m_.bias), residual);
  }

  Node residual_add(K kind, Node branch, Node residual) {
    const Node sum = elementwise(kind, branch, 2 * m_.hidden, m_.hidden, 0);
    graph_[boost::edge(branch, sum, graph_).first].features = m_.hidden;
    boost::add_edge(residual, sum, OperatorEdge{0, 0, m_.hidden}, graph_);
    return sum;
  }

  const ModelSpec& m_;
  const GraphOptions& o_;
  bool flash_;
  std::int64_t s_, tokens_, b_, layer_ = -1;
  Graph graph_;
};

}  // namespace

const char* name_of(OperatorKind kind) {
  static constexpr std::array kNames{"embedding",
                                     "embedding.norm",
                                     "embedding.dropout",
                                     "norm",
                                     "qkv",
                                     "rotary",
                                     "relative_positions",
                                     "attention.relative",
                                     "attention.scores",
                                     "attention.softmax",
                                     "attention.dropout",
                                     "attention.context",
                                     "attention",
                                     "projection",
                                     "attention.residual",
                                     "mlp.norm",
                                     "fc1",
                                     "activation",
                                     "fc2",
                                     "mlp.residual",
                                     "final_norm",
                                     "head",
                                     "cross_entropy"};
  static_assert(kNames.size() == static_cast<std::size_t>(K::cross_entropy) + 1);
  return kNames[static_cast<std::size_t>(kind)];
}

OperatorGraph operator_graph(const ModelSpec& spec, const GraphOptions& options) {
  const Graph graph = Builder(spec, options).build();
  std::vector<Node> reverse_order;
  boost::topological_sort(graph, std::back_inserter(reverse_order));  // throws where there is a cycle
  std::vector<std::int32_t> position(boost::num_vertices(graph));
  OperatorGraph flat;
  for (auto node = reverse_order.rbegin(); node != reverse_order.rend(); ++node) {
    position[*node] = static_cast<std::int32_t>(flat.operators.size());
    flat.operators.push_back(graph[*node]);
    for (const auto& in : boost::make_iterator_range(boost::in_edges(*node, graph)))
      flat.edges.push_back({position[boost::source(in, graph)], position[*node], graph[in].features});
  }
  return flat;
}

std::vector<OperatorEdge> cut_edges(const OperatorGraph& graph, std::span<const std::int32_t> stage) {
  check(stage.size() == graph.operators.size(), "cut_edges: one stage for each operator");
  std::vector<OperatorEdge> cut;
  for (const OperatorEdge& edge : graph.edges)
    if (stage[static_cast<std::size_t>(edge.from)] != stage[static_cast<std::size_t>(edge.to)]) cut.push_back(edge);
  return cut;
}

}  // namespace orrery::model
