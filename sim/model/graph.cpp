// The model graph, built with Boost.Graph and handed out flat.
#include "orrery/model/graph.hpp"

#include <algorithm>
#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/topological_sort.hpp>

#include "orrery/core/error.hpp"

namespace orrery::model {
namespace {

using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Operator, Edge>;
using K = OperatorKind;
using TensorIndex = std::int32_t;

template <class AnyGraph>
bool is_acyclic(const AnyGraph& graph) {
  std::vector<typename boost::graph_traits<AnyGraph>::vertex_descriptor> order;
  try {
    boost::topological_sort(graph, std::back_inserter(order));
  } catch (const boost::not_a_dag&) {
    return false;
  }
  return true;
}

class Builder {
 public:
  Builder(const ModelSpec& spec, const GraphOptions& options) : m_(spec), o_(options), flat_{spec, {}, {}, {}} {}

  ModelGraph build() {
    TensorIndex stream = embedding();
    for (layer_ = 0; layer_ < m_.layers; ++layer_) {
      stream = attention_block(stream);
      stream = mlp_block(stream);
    }
    head(norm(K::final_norm, stream));
    return flatten();
  }

 private:
  struct Result {
    std::int64_t features;
    Spread spread;
  };
  // Returns the first result.
  TensorIndex add(Operator op, const std::vector<TensorIndex>& reads, const std::vector<Result>& makes) {
    op.layer = layer_;
    op.first_tensor = static_cast<TensorIndex>(flat_.tensors.size());
    op.tensors = static_cast<std::int32_t>(makes.size());
    const auto node = static_cast<std::int32_t>(boost::add_vertex(op, graph_));
    for (const Result& r : makes) flat_.tensors.push_back({node, r.features, r.spread});
    std::int32_t slot = 0;
    for (const TensorIndex t : reads) {
      const std::int32_t from = flat_.tensors[static_cast<std::size_t>(t)].producer;
      boost::add_edge(static_cast<std::size_t>(from), static_cast<std::size_t>(node), Edge{from, node, t, slot++},
                      graph_);
    }
    return op.first_tensor;
  }
  std::int64_t features(TensorIndex t) const { return flat_.tensors[static_cast<std::size_t>(t)].features; }

  TensorIndex norm(K kind, TensorIndex x) {
    const std::int64_t vectors = m_.norm == Norm::layer_norm && m_.norm_bias ? 2 : 1;
    return add({.kind = kind, .vectors = vectors}, {x}, {{features(x), Spread::stream}});
  }
  TensorIndex linear(K kind, TensorIndex x, const std::vector<Result>& makes, bool bias) {
    return add({.kind = kind, .rows = features(x), .vectors = bias ? 1 : 0}, {x}, makes);
  }

  TensorIndex embedding() {
    const std::int64_t positions = m_.position == Position::learned ? m_.max_positions : 0;
    TensorIndex x = add({.kind = K::embedding, .rows = m_.vocab, .vectors = positions}, {},
                        {{m_.hidden, Spread::stream}, {checked_mul(m_.vocab, m_.hidden), Spread::weight}});
    table_ = x + 1;
    if (m_.embedding_norm) x = norm(K::embedding_norm, x);
    if (m_.dropout) x = add({.kind = K::embedding_dropout}, {x}, {{m_.hidden, Spread::stream}});
    return x;
  }

  void head(TensorIndex x) {
    std::vector<TensorIndex> reads{x};
    if (m_.tied_embeddings) reads.push_back(table_);
    const TensorIndex logits = add({.kind = K::head, .rows = m_.hidden}, reads, {{m_.vocab, Spread::columns}});
    add({.kind = K::cross_entropy}, {logits}, {});
  }

  TensorIndex attention_block(TensorIndex stream) {
    const std::int64_t q = m_.query_features(), kv = m_.kv_features(), d = m_.dim_per_head();
    const TensorIndex x = norm(K::norm, stream);
    TensorIndex query =
        linear(K::qkv, x, {{q, Spread::columns}, {kv, Spread::columns}, {kv, Spread::columns}}, m_.bias || m_.qkv_bias);
    TensorIndex key = query + 1;
    const TensorIndex value = query + 2;
    if (m_.position == Position::rotary) {
      query = add({.kind = K::rotary}, {query, key}, {{q, Spread::columns}, {kv, Spread::columns}});
      key = query + 1;
    }
    std::vector<TensorIndex> relative;
    if (m_.position == Position::relative) {
      // The encodings are taken as projected for each sequence (micro-batch 1, as in training at this size).
      const TensorIndex encodings = add({.kind = K::relative_positions, .rows = m_.hidden}, {}, {{q, Spread::columns}});
      relative = {add({.kind = K::attention_relative, .head_dim = d}, {query, encodings}, {scores()})};
    }
    const TensorIndex context = o_.flash ? flash(query, key, value, relative) : unfused(query, key, value, relative);
    const TensorIndex branch = linear(K::projection, context, {{m_.hidden, Spread::stream}}, m_.bias);
    return add({.kind = K::attention_residual}, {branch, stream}, {{m_.hidden, Spread::stream}});
  }

  Result scores() const { return {checked_mul(m_.heads, o_.sequence_length), Spread::columns}; }

  TensorIndex flash(TensorIndex query, TensorIndex key, TensorIndex value, const std::vector<TensorIndex>& relative) {
    std::vector<TensorIndex> reads{query, key, value};
    reads.insert(reads.end(), relative.begin(), relative.end());
    return add({.kind = K::attention_flash, .head_dim = m_.dim_per_head()}, reads,
               {{m_.query_features(), Spread::columns}});
  }

  TensorIndex unfused(TensorIndex query, TensorIndex key, TensorIndex value, const std::vector<TensorIndex>& relative) {
    const std::int64_t q = m_.query_features(), d = m_.dim_per_head();
    key = add({.kind = K::keys_values}, {key, value}, {{q, Spread::columns}, {q, Spread::columns}});
    value = key + 1;
    TensorIndex x = add({.kind = K::attention_scores, .head_dim = d}, {query, key}, {scores()});
    std::vector<TensorIndex> reads{x};
    reads.insert(reads.end(), relative.begin(), relative.end());
    x = add({.kind = K::attention_softmax}, reads, {scores()});
    if (m_.dropout) x = add({.kind = K::attention_dropout}, {x}, {scores()});
    return add({.kind = K::attention_context, .head_dim = d}, {x, value}, {{q, Spread::columns}});
  }

  TensorIndex mlp_block(TensorIndex stream) {
    const std::int64_t f = m_.ffn_hidden;
    const TensorIndex x = norm(K::mlp_norm, stream);
    const TensorIndex up = linear(K::fc1, x, {{m_.gated() ? 2 * f : f, Spread::columns}}, m_.bias);
    const TensorIndex inner = add({.kind = K::activation}, {up}, {{f, Spread::columns}});
    const TensorIndex branch = linear(K::fc2, inner, {{m_.hidden, Spread::stream}}, m_.bias);
    return add({.kind = K::mlp_residual}, {branch, stream}, {{m_.hidden, Spread::stream}});
  }

  ModelGraph flatten() {
    check(is_acyclic(graph_), "model graph: no operator may wait for itself");
    for (const auto node : boost::make_iterator_range(boost::vertices(graph_))) {
      const std::size_t first = flat_.edges.size();
      Operator& op = flat_.operators.emplace_back(graph_[node]);
      op.first_edge = static_cast<std::int32_t>(first);
      op.reads = static_cast<std::int32_t>(boost::in_degree(node, graph_));
      for (const auto in : boost::make_iterator_range(boost::in_edges(node, graph_))) {
        check(boost::source(in, graph_) < node, "model graph: operators stand in topological order");
        flat_.edges.push_back(graph_[in]);
      }
      std::sort(flat_.edges.begin() + static_cast<std::ptrdiff_t>(first), flat_.edges.end(),
                [](const Edge& a, const Edge& b) { return a.slot < b.slot; });
    }
    return std::move(flat_);
  }

  const ModelSpec& m_;
  const GraphOptions& o_;
  ModelGraph flat_;
  std::int64_t layer_ = -1;
  TensorIndex table_ = 0;
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
                                     "attention.keys_values",
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
  static_assert(kNames.size() == kOperatorKinds);
  return kNames[static_cast<std::size_t>(kind)];
}

ModelGraph model_graph(const ModelSpec& spec, const GraphOptions& options) {
  return Builder(spec, options).build();
}

std::int64_t parameters_of(const ModelGraph& graph, const Operator& op) {
  std::int64_t features = 0;
  for (std::int32_t t = op.first_tensor; t < op.first_tensor + op.tensors; ++t) {
    const Tensor& tensor = graph.tensors[static_cast<std::size_t>(t)];
    if (tensor.spread != Spread::weight) features = checked_add(features, tensor.features);
  }
  for (std::int32_t e = op.first_edge; e < op.first_edge + op.reads; ++e) {
    const auto tensor = static_cast<std::size_t>(graph.edges[static_cast<std::size_t>(e)].tensor);
    if (graph.tensors[tensor].spread == Spread::weight) return 0;
  }
  return checked_mul(op.rows + op.vectors, features);
}

bool acyclic(const ModelGraph& graph, std::span<const std::int32_t> stage) {
  boost::adjacency_list<boost::setS, boost::vecS, boost::directedS> quotient;
  for (const Edge& e : graph.edges) {
    const auto from = static_cast<std::size_t>(stage[static_cast<std::size_t>(e.from)]),
               to = static_cast<std::size_t>(stage[static_cast<std::size_t>(e.to)]);
    // A shared matrix is held by both stages; it orders nothing.
    if (from != to && graph.tensors[static_cast<std::size_t>(e.tensor)].spread != Spread::weight)
      boost::add_edge(from, to, quotient);
  }
  return is_acyclic(quotient);
}

}  // namespace orrery::model
