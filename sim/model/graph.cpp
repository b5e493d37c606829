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
    for (layer_ = 0; layer_ < m_.layers; ++layer_) stream = layer(stream, layer_);
    head(norm(K::final_norm, stream));
    for (std::int64_t ahead = 1; ahead <= m_.prediction_layers; ++ahead) {
      layer_ = m_.layers + ahead;
      stream = prediction(stream);
    }
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

  TensorIndex norm(K kind, TensorIndex x) { return norm(kind, x, features(x)); }
  TensorIndex norm(K kind, TensorIndex x, std::int64_t wide) {
    const std::int64_t vectors = m_.norm == Norm::layer_norm && m_.norm_bias ? 2 : 1;
    return add({.kind = kind, .vectors = vectors}, {x}, {{wide, Spread::stream}});
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

  // The matrix is that of the embedding where they are tied, and of the first head in modules that predict further.
  void head(TensorIndex x) {
    std::vector<TensorIndex> reads{x};
    if (m_.tied_embeddings || layer_ > m_.layers) reads.push_back(m_.tied_embeddings ? table_ : head_matrix_);
    std::vector<Result> makes{{m_.vocab, Spread::columns}};
    if (!m_.tied_embeddings && m_.prediction_layers > 0 && layer_ == m_.layers)
      makes.push_back({checked_mul(m_.vocab, m_.hidden), Spread::weight});
    TensorIndex logits = add({.kind = K::head, .rows = m_.hidden, .vectors = m_.head_bias ? 1 : 0}, reads, makes);
    if (makes.size() > 1) head_matrix_ = logits + 1;
    if (m_.logit_cap) logits = add({.kind = K::logit_cap}, {logits}, {{m_.vocab, Spread::columns}});
    add({.kind = K::cross_entropy}, {logits}, {});
  }

  // DeepSeek-V3, section 2.2: the stream and the embedding of the next token, each with a norm, joined by a projection;
  // then a layer like the last, and the head once more.
  TensorIndex prediction(TensorIndex stream) {
    const TensorIndex next = add({.kind = K::embedding, .rows = m_.vocab}, {table_}, {{m_.hidden, Spread::stream}});
    const TensorIndex ahead = norm(K::embedding_norm, next), before = norm(K::embedding_norm, stream);
    stream = add({.kind = K::prediction_join, .rows = 2 * m_.hidden}, {before, ahead}, {{m_.hidden, Spread::stream}});
    stream = layer(stream, m_.layers - 1);
    head(norm(K::final_norm, stream));
    return stream;
  }

  TensorIndex layer(TensorIndex stream, std::int64_t like) {
    const bool first = m_.norm_place != NormPlace::after, behind = m_.norm_place != NormPlace::before;
    const Result hidden{m_.hidden, Spread::stream};
    const TensorIndex x = first ? norm(K::norm, stream) : stream;
    TensorIndex branch = attention(x, m_.window_of(like));
    if (behind) branch = norm(K::attention_post_norm, branch);
    const TensorIndex middle = add({.kind = K::attention_residual}, {branch, stream}, {hidden});
    const TensorIndex from = m_.parallel == Parallel::none ? middle : stream;
    const TensorIndex y = m_.parallel == Parallel::one_norm ? x : first ? norm(K::mlp_norm, from) : from;
    branch = m_.experts.in_layer(like) ? experts(y) : mlp(y);
    if (behind) branch = norm(K::mlp_post_norm, branch);
    return add({.kind = K::mlp_residual}, {branch, middle}, {hidden});
  }

  struct QueriesKeysValues {
    TensorIndex query, key, value;
  };

  TensorIndex attention(TensorIndex x, std::int64_t window) {
    auto [query, key, value] = m_.latent() ? latent(x) : grouped(x);
    std::vector<TensorIndex> relative;
    if (m_.position == Position::relative) {
      // The encodings are taken as projected for each sequence (micro-batch 1, as in training at this size).
      const TensorIndex encodings =
          add({.kind = K::relative_positions, .rows = m_.hidden}, {}, {{m_.query_features(), Spread::columns}});
      relative = {add({.kind = K::attention_relative, .head_dim = m_.dim_per_head()}, {query, encodings}, {scores()})};
    }
    const TensorIndex context =
        o_.flash ? flash(query, key, value, relative, window) : unfused(query, key, value, relative);
    return linear(K::projection, context, {{m_.hidden, Spread::stream}}, m_.bias || m_.projection_bias);
  }

  QueriesKeysValues grouped(TensorIndex x) {
    const std::int64_t q = m_.query_features(), kv = m_.kv_features(), d = m_.dim_per_head();
    const std::vector<Result> query_key{{q, Spread::columns}, {kv, Spread::columns}};
    TensorIndex query =
        linear(K::qkv, x, {{q, Spread::columns}, {kv, Spread::columns}, {kv, Spread::columns}}, m_.bias || m_.qkv_bias);
    TensorIndex key = query + 1;
    const TensorIndex value = query + 2;
    if (m_.qk_norm != QkNorm::none) {
      const std::int64_t gains = m_.qk_norm == QkNorm::all ? q + kv : m_.qk_norm == QkNorm::head ? 2 * d : 0;
      query = add({.kind = K::qk_norm, .own = gains, .head_dim = d}, {query, key}, query_key);
      key = query + 1;
    }
    if (m_.position == Position::rotary) {
      query = add({.kind = K::rotary, .head_dim = m_.rotary_dim > 0 ? d : 0}, {query, key}, query_key);
      key = query + 1;
    }
    return {query, key, value};
  }

  // Queries from their latent, or from the stream; keys and values from theirs, beside which comes the one key that is
  // rotated. The rotary operator puts the parts of each key together.
  QueriesKeysValues latent(TensorIndex x) {
    const LatentAttention& l = m_.latent_attention;
    const std::int64_t q = m_.query_features();
    TensorIndex from = x;
    if (l.query_rank > 0)
      from = norm(K::latent_norm, linear(K::latent_down, x, {{l.query_rank, Spread::stream}}, m_.qkv_bias));
    const TensorIndex down = linear(K::latent_down, x, {{l.key_value_rank + l.rope_dim, Spread::stream}}, m_.qkv_bias);
    const TensorIndex narrow = norm(K::latent_norm, down, l.key_value_rank);
    TensorIndex query = linear(K::latent_up, from, {{q, Spread::columns}}, false);
    TensorIndex key =
        linear(K::latent_keys_values, narrow,
               {{m_.heads * l.nope_dim, Spread::columns}, {m_.heads * l.value_dim, Spread::columns}}, false);
    const TensorIndex value = key + 1;
    query = add({.kind = K::rotary, .head_dim = l.rope_dim}, {query, key, down},
                {{q, Spread::columns}, {q, Spread::columns}});
    return {query, query + 1, value};
  }

  Result scores() const { return {checked_mul(m_.heads, o_.sequence_length), Spread::columns}; }

  std::int64_t sinks() const { return m_.attention_sinks ? m_.heads : 0; }

  TensorIndex flash(TensorIndex query, TensorIndex key, TensorIndex value, const std::vector<TensorIndex>& relative,
                    std::int64_t window) {
    std::vector<TensorIndex> reads{query, key, value};
    reads.insert(reads.end(), relative.begin(), relative.end());
    return add({.kind = K::attention_flash,
                .own = sinks(),
                .head_dim = m_.dim_per_head(),
                .value_dim = m_.value_dim(),
                .window = window},
               reads, {{m_.context_features(), Spread::columns}});
  }

  TensorIndex unfused(TensorIndex query, TensorIndex key, TensorIndex value, const std::vector<TensorIndex>& relative) {
    const std::int64_t q = m_.query_features(), context = m_.context_features();
    key = add({.kind = K::keys_values}, {key, value}, {{q, Spread::columns}, {context, Spread::columns}});
    value = key + 1;
    TensorIndex x = add({.kind = K::attention_scores, .head_dim = m_.dim_per_head()}, {query, key}, {scores()});
    std::vector<TensorIndex> reads{x};
    reads.insert(reads.end(), relative.begin(), relative.end());
    x = add({.kind = K::attention_softmax, .own = sinks()}, reads, {scores()});
    if (m_.dropout) x = add({.kind = K::attention_dropout}, {x}, {scores()});
    return add({.kind = K::attention_context, .head_dim = m_.value_dim()}, {x, value}, {{context, Spread::columns}});
  }

  bool mlp_bias() const { return m_.bias || m_.mlp_bias; }

  TensorIndex mlp(TensorIndex x) { return mlp(x, {K::fc1, K::activation, K::fc2}, m_.ffn_hidden); }

  TensorIndex mlp(TensorIndex x, const std::array<K, 3>& kinds, std::int64_t f) {
    const TensorIndex up = linear(kinds[0], x, {{m_.gated() ? 2 * f : f, Spread::columns}}, mlp_bias());
    const TensorIndex inner = add({.kind = kinds[1]}, {up}, {{f, Spread::columns}});
    return linear(kinds[2], inner, {{m_.hidden, Spread::stream}}, mlp_bias());
  }

  // Each token goes to the best of the experts, with the weights that the router gives them, and beside to those that
  // are shared.
  TensorIndex experts(TensorIndex x) {
    const Experts& e = m_.experts;
    const std::int64_t h = m_.hidden, m = e.hidden, bias = e.bias ? 1 : 0;
    TensorIndex shared = -1;
    if (e.shared_hidden > 0) {
      shared = mlp(x, {K::shared_fc1, K::shared_activation, K::shared_fc2}, e.shared_hidden);
      if (e.shared_gate) shared = add({.kind = K::shared_gate, .own = h}, {shared, x}, {{h, Spread::stream}});
    }
    const TensorIndex scores =
        add({.kind = K::router, .rows = h, .vectors = bias, .own = e.selection_bias ? e.count : 0}, {x},
            {{e.count, Spread::stream}});
    TensorIndex rows = add({.kind = K::permute}, {x, scores}, {{h, Spread::copies}, {1, Spread::copies}});
    rows = add({.kind = K::dispatch}, {rows, rows + 1}, {{h, Spread::received}, {1, Spread::received}});
    const TensorIndex weights = rows + 1;
    rows = add({.kind = K::expert_fc1, .rows = h, .vectors = bias, .matrices = e.count}, {rows},
               {{m_.gated() ? 2 * m : m, Spread::received_columns}});
    rows = add({.kind = K::expert_activation}, {rows, weights}, {{m, Spread::received_columns}});
    rows =
        add({.kind = K::expert_fc2, .rows = m, .vectors = bias, .matrices = e.count}, {rows}, {{h, Spread::received}});
    rows = add({.kind = K::combine}, {rows}, {{h, Spread::copies}});
    const TensorIndex routed = add({.kind = K::unpermute}, {rows}, {{h, Spread::stream}});
    return shared < 0 ? routed : add({.kind = K::expert_sum}, {routed, shared}, {{h, Spread::stream}});
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
  TensorIndex table_ = 0, head_matrix_ = 0;  // of the embedding and of the head
  Graph graph_;
};

}  // namespace

ModelGraph model_graph(const ModelSpec& spec, const GraphOptions& options) {
  return Builder(spec, options).build();
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
