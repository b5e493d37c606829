// The model graph, built with Boost.Graph and handed out flat.
#include "orrery/model/graph.hpp"

#include <algorithm>
#include <boost/graph/topological_sort.hpp>

#include "graph_builder.hpp"
#include "orrery/core/error.hpp"

namespace orrery::model {
namespace {

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

}  // namespace

ModelGraph GraphBuilder::build() {
  TensorIndex stream = embedding();
  for (layer_ = 0; layer_ < m_.layers; ++layer_) {
    if (m_.has_two_stacks() && layer_ == m_.encoder_layers) stream = decoder_embedding();
    stream = layer(stream, layer_);
    if (m_.has_two_stacks() && layer_ + 1 == m_.encoder_layers)
      encoder_ = m_.norm_place == NormPlace::after_sum ? stream : norm(K::encoder_norm, stream);
  }
  if (m_.pooler) pooler(stream);
  if (m_.norm_place != NormPlace::after_sum) stream = norm(K::final_norm, stream);
  head(stream);
  for (std::int64_t ahead = 1; ahead <= m_.prediction_layers; ++ahead) {
    layer_ = m_.layers + ahead;
    stream = prediction(stream);
  }
  return flatten();
}

GraphBuilder::TensorIndex GraphBuilder::add(Operator op, const std::vector<TensorIndex>& reads,
                                            const std::vector<Result>& makes) {
  op.layer = layer_, op.tokens = tokens_;
  op.first_tensor = static_cast<TensorIndex>(flat_.tensors.size());
  op.tensors = static_cast<std::int32_t>(makes.size());
  const auto node = static_cast<std::int32_t>(boost::add_vertex(op, graph_));
  for (const Result& r : makes) flat_.tensors.push_back({node, r.features, r.spread, tokens_});
  std::int32_t slot = 0;
  for (const TensorIndex t : reads) {
    const std::int32_t from = tensor(t).producer;
    boost::add_edge(static_cast<std::size_t>(from), static_cast<std::size_t>(node), Edge{from, node, t, slot++},
                    graph_);
  }
  return op.first_tensor;
}

GraphBuilder::TensorIndex GraphBuilder::norm(K kind, TensorIndex x, std::int64_t wide) {
  const std::int64_t vectors = m_.norm == Norm::layer_norm && m_.norm_bias ? 2 : 1;
  return add({.kind = kind, .vectors = vectors}, {x}, {{wide, Spread::stream}});
}

GraphBuilder::TensorIndex GraphBuilder::linear(K kind, TensorIndex x, const std::vector<Result>& makes, bool bias) {
  return add({.kind = kind, .rows = tensor(x).features, .vectors = bias ? 1 : 0}, {x}, makes);
}

GraphBuilder::TensorIndex GraphBuilder::embedding() {
  const std::int64_t positions = m_.position == Position::learned ? m_.max_positions : 0;
  const TensorIndex x = add({.kind = K::embedding, .rows = m_.vocab, .vectors = positions + m_.token_types}, {},
                            {{m_.hidden, Spread::stream}, {checked_mul(m_.vocab, m_.hidden), Spread::weight}});
  table_ = x + 1;
  return behind_embedding(x);
}

GraphBuilder::TensorIndex GraphBuilder::behind_embedding(TensorIndex x) {
  if (m_.embedding_norm) x = norm(K::embedding_norm, x);
  if (m_.dropout) x = add({.kind = K::embedding_dropout}, {x}, {{m_.hidden, Spread::stream}});
  return x;
}

// Where the decoder begins: rows of the same token table, positions of its own. Its layers share a table of biases.
GraphBuilder::TensorIndex GraphBuilder::decoder_embedding() {
  tokens_ = Tokens::decoder, buckets_ = kNone;
  const std::int64_t positions = m_.position == Position::learned ? m_.max_positions : 0;
  return behind_embedding(
      add({.kind = K::embedding, .rows = m_.vocab, .vectors = positions}, {table_}, {{m_.hidden, Spread::stream}}));
}

// The matrix is that of the embedding where they are tied, and of the first head in modules that predict further.
void GraphBuilder::head(TensorIndex x) {
  if (m_.head_transform) x = head_transform(x);
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

// Devlin et al. 2019, as released (modeling.py, get_masked_lm_output).
GraphBuilder::TensorIndex GraphBuilder::head_transform(TensorIndex x) {
  x = linear(K::head_dense, x, {{m_.hidden, Spread::stream}}, true);
  x = add({.kind = K::head_activation}, {x}, {{m_.hidden, Spread::stream}});
  return norm(K::head_norm, x);
}

void GraphBuilder::pooler(TensorIndex x) {
  const TensorIndex first = linear(K::pooler, x, {{m_.hidden, Spread::sequences}}, true);
  linear(K::next_sentence, first, {{kSentenceClasses, Spread::sequences}}, true);
}

// DeepSeek-V3, section 2.2: the stream and the embedding of the next token, each with a norm, joined by a projection;
// then a layer like the last, and the head once more.
GraphBuilder::TensorIndex GraphBuilder::prediction(TensorIndex stream) {
  const TensorIndex next = add({.kind = K::embedding, .rows = m_.vocab}, {table_}, {{m_.hidden, Spread::stream}});
  const TensorIndex ahead = norm(K::embedding_norm, next), before = norm(K::embedding_norm, stream);
  stream = add({.kind = K::prediction_join, .rows = 2 * m_.hidden}, {before, ahead}, {{m_.hidden, Spread::stream}});
  stream = layer(stream, m_.layers - 1);
  head(norm(K::final_norm, stream));
  return stream;
}

GraphBuilder::TensorIndex GraphBuilder::layer(TensorIndex stream, std::int64_t like) {
  const bool behind_sum = m_.norm_place == NormPlace::after_sum;
  const bool first = m_.norm_place != NormPlace::after && !behind_sum,
             behind = m_.norm_place != NormPlace::before && !behind_sum;
  const Result hidden{m_.hidden, Spread::stream};
  const TensorIndex x = first ? norm(K::norm, stream) : stream;
  TensorIndex branch = attention(x, like);
  if (behind) branch = norm(K::attention_post_norm, branch);
  TensorIndex middle = add({.kind = K::attention_residual}, {branch, stream}, {hidden});
  if (behind_sum) middle = norm(K::attention_post_norm, middle);
  if (tokens_ == Tokens::decoder) middle = cross_attention(middle);
  const TensorIndex from = m_.parallel == Parallel::none ? middle : stream;
  const TensorIndex y = m_.parallel == Parallel::one_norm ? x : first ? norm(K::mlp_norm, from) : from;
  branch = m_.experts.in_layer(like) ? experts(y) : mlp(y);
  if (behind) branch = norm(K::mlp_post_norm, branch);
  const TensorIndex sum = add({.kind = K::mlp_residual}, {branch, middle}, {hidden});
  return behind_sum ? norm(K::mlp_post_norm, sum) : sum;
}

GraphBuilder::TensorIndex GraphBuilder::mlp(TensorIndex x, const std::array<K, 3>& kinds, std::int64_t f) {
  const TensorIndex up = linear(kinds[0], x, {{m_.gated() ? 2 * f : f, Spread::columns}}, mlp_bias());
  const TensorIndex inner = add({.kind = kinds[1]}, {up}, {{f, Spread::columns}});
  return linear(kinds[2], inner, {{m_.hidden, Spread::stream}}, mlp_bias());
}

// Each token goes to the best of the experts, with the weights that the router gives them, and beside to those that
// are shared.
GraphBuilder::TensorIndex GraphBuilder::experts(TensorIndex x) {
  const Experts& e = m_.experts;
  const std::int64_t h = m_.hidden, m = e.hidden, bias = e.bias ? 1 : 0;
  TensorIndex shared = -1;
  if (e.shared_hidden > 0) {
    shared = mlp(x, {K::shared_fc1, K::shared_activation, K::shared_fc2}, e.shared_hidden);
    if (e.shared_gate) shared = add({.kind = K::shared_gate, .own = h}, {shared, x}, {{h, Spread::stream}});
  }
  const TensorIndex scores = add({.kind = K::router, .rows = h, .vectors = bias, .own = e.selection_bias ? e.count : 0},
                                 {x}, {{e.count, Spread::stream}});
  TensorIndex rows = add({.kind = K::permute}, {x, scores}, {{h, Spread::copies}, {1, Spread::copies}});
  rows = add({.kind = K::dispatch}, {rows, rows + 1}, {{h, Spread::received}, {1, Spread::received}});
  const TensorIndex weights = rows + 1;
  rows = add({.kind = K::expert_fc1, .rows = h, .vectors = bias, .matrices = e.count}, {rows},
             {{m_.gated() ? 2 * m : m, Spread::received_columns}});
  rows = add({.kind = K::expert_activation}, {rows, weights}, {{m, Spread::received_columns}});
  rows = add({.kind = K::expert_fc2, .rows = m, .vectors = bias, .matrices = e.count}, {rows}, {{h, Spread::received}});
  rows = add({.kind = K::combine}, {rows}, {{h, Spread::copies}});
  const TensorIndex routed = add({.kind = K::unpermute}, {rows}, {{h, Spread::stream}});
  return shared < 0 ? routed : add({.kind = K::expert_sum}, {routed, shared}, {{h, Spread::stream}});
}

ModelGraph GraphBuilder::flatten() {
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

ModelGraph model_graph(const ModelSpec& spec, const GraphOptions& options) {
  return GraphBuilder(spec, options).build();
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
