#include "operators.hpp"

#include <array>

#include "orrery/core/error.hpp"

namespace orrery::layout {
namespace {

using K = model::OperatorKind;

struct Entry {
  K kind;
  Splitting split;
};
constexpr std::array<Entry, model::kOperatorKinds> kOperators{{
    {K::embedding, split_embedding},
    {K::embedding_norm, split_norm},
    {K::embedding_dropout, split_dropout},
    {K::norm, split_norm},
    {K::qkv, split_qkv},
    {K::latent_down, split_latent_down},
    {K::latent_norm, split_norm},
    {K::latent_up, split_latent_up},
    {K::latent_keys_values, split_latent_keys_values},
    {K::qk_norm, split_qk_norm},
    {K::rotary, split_rotary},
    {K::relative_bias, split_relative_bias},
    {K::relative_positions, split_relative_positions},
    {K::attention_relative, split_attention_relative},
    {K::keys_values, split_keys_values},
    {K::attention_scores, split_attention_scores},
    {K::attention_softmax, split_attention_softmax},
    {K::attention_dropout, split_dropout},
    {K::attention_context, split_attention_context},
    {K::attention_flash, split_attention_flash},
    {K::projection, split_projection},
    {K::attention_post_norm, split_norm},
    {K::attention_residual, split_residual_add},
    {K::cross_norm, split_norm},
    {K::cross_query, split_latent_up},
    {K::cross_keys_values, split_cross_keys_values},
    {K::cross_projection, split_projection},
    {K::cross_post_norm, split_norm},
    {K::cross_residual, split_residual_add},
    {K::mlp_norm, split_norm},
    {K::fc1, split_fc1},
    {K::activation, split_activation},
    {K::fc2, split_fc2},
    {K::router, split_router},
    {K::permute, split_permute},
    {K::dispatch, split_dispatch},
    {K::expert_fc1, split_expert_fc1},
    {K::expert_activation, split_activation},
    {K::expert_fc2, split_expert_fc2},
    {K::combine, split_combine},
    {K::unpermute, split_unpermute},
    {K::shared_fc1, split_fc1},
    {K::shared_activation, split_activation},
    {K::shared_fc2, split_fc2},
    {K::shared_gate, split_shared_gate},
    {K::expert_sum, split_expert_sum},
    {K::mlp_post_norm, split_norm},
    {K::mlp_residual, split_residual_add},
    {K::prediction_join, split_prediction_join},
    {K::encoder_norm, split_norm},
    {K::final_norm, split_norm},
    {K::pooler, split_pooler},
    {K::next_sentence, split_next_sentence},
    {K::head_dense, split_latent_down},
    {K::head_activation, split_head_activation},
    {K::head_norm, split_norm},
    {K::head, split_head},
    {K::logit_cap, split_logit_cap},
    {K::cross_entropy, split_cross_entropy},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kOperators.size(); ++i)
    if (static_cast<std::size_t>(kOperators[i].kind) != i) return false;
  return true;
}
static_assert(in_order(), "kOperators stands in the order of OperatorKind");

}  // namespace

Splitting splitting(K kind) {
  return kOperators[static_cast<std::size_t>(kind)].split;
}

}  // namespace orrery::layout
