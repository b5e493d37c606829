// Builds the model graph with Boost.Graph, operator by operator in the order in which a rank runs them.
#pragma once
#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <vector>

#include "orrery/model/graph.hpp"

namespace orrery::model {

class GraphBuilder {
 public:
  GraphBuilder(const ModelSpec& spec, const GraphOptions& options) : m_(spec), o_(options), flat_{spec, {}, {}, {}} {}
  ModelGraph build();

 private:
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Operator, Edge>;
  using K = OperatorKind;
  using TensorIndex = std::int32_t;
  struct Result {
    std::int64_t features;
    Spread spread;
  };
  struct QueriesKeysValues {
    TensorIndex query, key, value;
  };

  // Returns the first result.
  TensorIndex add(Operator op, const std::vector<TensorIndex>& reads, const std::vector<Result>& makes);
  const Tensor& tensor(TensorIndex t) const { return flat_.tensors[static_cast<std::size_t>(t)]; }
  TensorIndex norm(K kind, TensorIndex x) { return norm(kind, x, tensor(x).features); }
  TensorIndex norm(K kind, TensorIndex x, std::int64_t wide);
  TensorIndex linear(K kind, TensorIndex x, const std::vector<Result>& makes, bool bias);
  ModelGraph flatten();

  TensorIndex embedding();
  TensorIndex behind_embedding(TensorIndex x);
  TensorIndex decoder_embedding();
  void head(TensorIndex x);
  TensorIndex head_transform(TensorIndex x);
  void pooler(TensorIndex x);
  TensorIndex prediction(TensorIndex stream);
  TensorIndex layer(TensorIndex stream, std::int64_t like);

  // graph_attention.cpp
  TensorIndex attention(TensorIndex x, std::int64_t like);
  TensorIndex cross_attention(TensorIndex stream);
  std::vector<TensorIndex> position_scores(TensorIndex query);
  QueriesKeysValues grouped(TensorIndex x);
  QueriesKeysValues latent(TensorIndex x);
  Result scores(const Operator& how) const;
  TensorIndex core(const QueriesKeysValues& of, const std::vector<TensorIndex>& relative, const Operator& how);
  TensorIndex unfused(const QueriesKeysValues& of, const std::vector<TensorIndex>& relative, const Operator& how);
  std::int64_t sinks() const { return m_.attention_sinks ? m_.heads : 0; }

  bool mlp_bias() const { return m_.bias || m_.mlp_bias; }
  TensorIndex mlp(TensorIndex x) { return mlp(x, {K::fc1, K::activation, K::fc2}, m_.ffn_hidden); }
  TensorIndex mlp(TensorIndex x, const std::array<K, 3>& kinds, std::int64_t f);
  TensorIndex experts(TensorIndex x);

  const ModelSpec& m_;
  const GraphOptions& o_;
  ModelGraph flat_;
  Graph graph_;
  std::int64_t layer_ = -1;
  Tokens tokens_ = Tokens::first;
  static constexpr TensorIndex kNone = -1;
  TensorIndex table_ = 0, head_matrix_ = 0;  // of the embedding and of the head
  TensorIndex encoder_ = kNone;              // what an encoder makes, for the decoder behind it
  TensorIndex buckets_ = kNone;              // table of relative biases of the stack
};

}  // namespace orrery::model
