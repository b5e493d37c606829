#include <array>

#include "orrery/model/graph.hpp"

namespace orrery::model {

const char* name_of(OperatorKind kind) {
  static constexpr std::array kNames{"embedding",
                                     "embedding.norm",
                                     "embedding.dropout",
                                     "norm",
                                     "qkv",
                                     "latent.down",
                                     "latent.norm",
                                     "latent.up",
                                     "latent.keys_values",
                                     "qk_norm",
                                     "rotary",
                                     "relative_bias",
                                     "relative_positions",
                                     "attention.relative",
                                     "attention.keys_values",
                                     "attention.scores",
                                     "attention.softmax",
                                     "attention.dropout",
                                     "attention.context",
                                     "attention",
                                     "projection",
                                     "attention.post_norm",
                                     "attention.residual",
                                     "cross.norm",
                                     "cross.query",
                                     "cross.keys_values",
                                     "cross.projection",
                                     "cross.post_norm",
                                     "cross.residual",
                                     "mlp.norm",
                                     "fc1",
                                     "activation",
                                     "fc2",
                                     "router",
                                     "permute",
                                     "dispatch",
                                     "experts.fc1",
                                     "experts.activation",
                                     "experts.fc2",
                                     "combine",
                                     "unpermute",
                                     "shared.fc1",
                                     "shared.activation",
                                     "shared.fc2",
                                     "shared.gate",
                                     "experts.sum",
                                     "mlp.post_norm",
                                     "mlp.residual",
                                     "prediction.join",
                                     "encoder.norm",
                                     "final_norm",
                                     "pooler",
                                     "next_sentence",
                                     "head.dense",
                                     "head.activation",
                                     "head.norm",
                                     "head",
                                     "logit_cap",
                                     "cross_entropy"};
  static_assert(kNames.size() == kOperatorKinds);
  return kNames[static_cast<std::size_t>(kind)];
}

std::int64_t parameters_of(const ModelGraph& graph, const Operator& op) {
  std::int64_t features = 0;
  for (std::int32_t t = op.first_tensor; t < op.first_tensor + op.tensors; ++t) {
    const Tensor& tensor = graph.tensors[static_cast<std::size_t>(t)];
    if (tensor.spread != Spread::weight) features = checked_add(features, tensor.features);
  }
  std::int64_t rows = op.rows;
  for (std::int32_t e = op.first_edge; e < op.first_edge + op.reads; ++e) {
    const auto tensor = static_cast<std::size_t>(graph.edges[static_cast<std::size_t>(e)].tensor);
    if (graph.tensors[tensor].spread == Spread::weight) rows = 0;
  }
  return checked_add(checked_mul(op.matrices, checked_mul(rows + op.vectors, features)), op.own);
}

}  // namespace orrery::model
