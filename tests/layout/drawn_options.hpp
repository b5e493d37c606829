#pragma once
#include "orrery/core/random.hpp"
#include "orrery/layout/pass.hpp"

namespace orrery::layout::test {

// Every option that shapes a pass.
inline PassOptions draw_options(Random& random) {
  const auto flip = [&] { return random.between(0, 1) == 1; };
  PassOptions o;
  o.sequence_length = 64, o.micro_batch = random.between(1, 3);
  o.compute = random.between(0, 3) == 0 ? DType::fp8 : DType::bf16;
  o.recompute = static_cast<Recompute>(random.between(0, 4)), o.recompute_every = random.between(1, 3);
  if (o.recompute_every == 1 && flip()) {
    o.recompute_method = flip() ? RecomputeMethod::block : RecomputeMethod::uniform;
    o.recompute_num_layers = random.between(1, 5);
  }
  o.recompute_modules = {static_cast<std::uint32_t>(random.between(0, 127))};
  o.attention = flip() ? AttentionKind::flash : AttentionKind::unfused;
  o.gradient_bytes = flip() ? 4 : 2;
  for (bool* option :
       {&o.kernels.fused_softmax, &o.kernels.fused_bias_activation, &o.kernels.fused_bias_dropout_add,
        &o.kernels.fused_norm, &o.kernels.fused_rotary, &o.kernels.fused_cross_entropy, &o.kernels.fused_log_softmax,
        &o.kernels.gradient_placeholders, &o.kernels.fused_gradient_accumulation, &o.kernels.keep_stage_output,
        &o.compiled, &o.calls.regather_in_backward, &o.kernels.separate_projections, &o.kernels.fp8_saves_input,
        &o.kernels.recompute_stops_early, &o.kernels.compiled_loss, &o.kernels.softmax_in_fp32,
        &o.kernels.gather_buffer, &o.kernels.repeated_heads})
    *option = flip();
  o.kernels.loss_copies = random.between(0, 2);
  o.calls.context_exchange = flip()   ? ContextExchange::ring
                             : flip() ? ContextExchange::gathered_ring
                                      : ContextExchange::all_gather;
  return o;
}

}  // namespace orrery::layout::test
