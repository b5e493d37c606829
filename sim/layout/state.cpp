#include "orrery/layout/pass.hpp"

namespace orrery::layout {

// Rajbhandari et al., ZeRO (SC'20), figure 1: each stage divides one more of the three states over the data-parallel
// ranks (data × context in Megatron, both of which reduce gradients). A shard holds ⌈parameters / ranks⌉ elements: the
// buffers are padded so that every rank holds as many.
StateBytes state_bytes(std::int64_t parameters, const StateWidths& widths, const Layout& layout, Parameters of) {
  const int ranks = layout.shards(of);
  const auto held = [&](Zero from) { return layout.zero >= from ? ceil_div(parameters, ranks) : parameters; };
  return {.weights = {checked_mul(held(Zero::parameters), widths.weight_bytes)},
          .gradients = {checked_mul(held(Zero::gradients), widths.gradient_bytes)},
          .optimizer = {checked_mul(held(Zero::optimizer), widths.optimizer_bytes)}};
}

}  // namespace orrery::layout
