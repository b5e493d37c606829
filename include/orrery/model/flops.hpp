// FLOPs of a training step in closed form, as published runs were reported: attention in full (not halved for the
// causal mask), the head once. Exact integers.
#pragma once
#include <cstdint>

#include "orrery/core/units.hpp"
#include "orrery/model/spec.hpp"

namespace orrery::model {

// Forward and backward of `sequences` sequences, no recompute: 6 per matrix parameter and token that meets it,
// 12·s·(head width) of attention. Of an encoder–decoder each token meets its own stack, and those of the encoder the
// keys and values of cross-attention too. For a GPT equal to Korthikanti et al. eq. 7: 72 B l s h² (1 + s/(6h) + V/(12
// h l)).
WideFlops model_flops(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences);

// Forward of one sequence through one layer, and through the heads.
WideFlops layer_flops(const ModelSpec& spec, std::int64_t layer, const Lengths& lengths);
WideFlops head_flops(const ModelSpec& spec, const Lengths& lengths);

// With every layer run forward once more. For a GPT equal to SC'21 eq. 3: 96 B s l h² (1 + s/(6h) + V/(16 l h)).
WideFlops full_recompute_flops(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences);

// With the attention core (QKᵀ and AV) run forward once more: what a device executes, 4/3 of the attention FLOPs.
WideFlops selective_recompute_flops(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences);

// As Korthikanti et al. eq. 8 prints it, s/(3h) in place of s/(6h), i.e. twice the attention FLOPs: for comparison with
// published HFU figures only; no device executes that many.
WideFlops korthikanti_selective_flops(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences);

// Half of the FLOPs of causal attention: what `--flops causal` takes off.
WideFlops causal_saving(const ModelSpec& spec, const Lengths& lengths, std::int64_t sequences);

}  // namespace orrery::model
