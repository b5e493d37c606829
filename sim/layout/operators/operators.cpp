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
    {K::rotary, split_rotary},
    {K::relative_positions, split_relative_positions},
    {K::attention_relative, split_attention_relative},
    {K::keys_values, split_keys_values},
    {K::attention_scores, split_attention_scores},
    {K::attention_softmax, split_attention_softmax},
    {K::attention_dropout, split_dropout},
    {K::attention_context, split_attention_context},
    {K::attention_flash, split_attention_flash},
    {K::projection, split_projection},
    {K::attention_residual, split_residual_add},
    {K::mlp_norm, split_norm},
    {K::fc1, split_fc1},
    {K::activation, split_activation},
    {K::fc2, split_fc2},
    {K::mlp_residual, split_residual_add},
    {K::final_norm, split_norm},
    {K::head, split_head},
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
