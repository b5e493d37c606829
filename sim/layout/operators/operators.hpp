// The operators there are: how each is split. A new one is a file here, a line in operators.cpp and its kind in
// model/graph.hpp.
#pragma once
#include "splitter.hpp"

namespace orrery::layout {

using Splitting = void (*)(Splitter&);
inline constexpr std::int64_t kRouterWeight = 4;  // bytes of the weight of a copy, fp32

Splitting splitting(model::OperatorKind kind);

void split_activation(Splitter& s);
void split_attention_context(Splitter& s);
void split_attention_flash(Splitter& s);
void split_attention_relative(Splitter& s);
void split_attention_scores(Splitter& s);
void split_attention_softmax(Splitter& s);
void split_combine(Splitter& s);
void split_cross_entropy(Splitter& s);
void split_cross_keys_values(Splitter& s);
void split_dispatch(Splitter& s);
void split_dropout(Splitter& s);
void split_embedding(Splitter& s);
void split_expert_fc1(Splitter& s);
void split_expert_fc2(Splitter& s);
void split_expert_sum(Splitter& s);
void split_fc1(Splitter& s);
void split_fc2(Splitter& s);
void split_head(Splitter& s);
void split_head_activation(Splitter& s);
void split_keys_values(Splitter& s);
void split_latent_down(Splitter& s);
void split_latent_keys_values(Splitter& s);
void split_latent_up(Splitter& s);
void split_logit_cap(Splitter& s);
void split_next_sentence(Splitter& s);
void split_norm(Splitter& s);
void split_permute(Splitter& s);
void split_pooler(Splitter& s);
void split_prediction_join(Splitter& s);
void split_projection(Splitter& s);
void split_qk_norm(Splitter& s);
void split_qkv(Splitter& s);
void split_relative_bias(Splitter& s);
void split_relative_positions(Splitter& s);
void split_residual_add(Splitter& s);
void split_rotary(Splitter& s);
void split_router(Splitter& s);
void split_shared_gate(Splitter& s);
void split_unpermute(Splitter& s);

}  // namespace orrery::layout
