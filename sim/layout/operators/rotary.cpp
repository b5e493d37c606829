#include "operators.hpp"

namespace orrery::layout {

// Fused: one kernel each for queries and keys, unless cosines and sines are scaled (Megatron-LM, rope_utils.py: "mscale
// is not supported by TE's fused RoPE. Using unfused implementation."). Unfused: x·cos + rotate_half(x)·sin, five
// kernels each, of the part of a head that is rotated, which is then put beside the rest. Of latent attention the one
// key that is rotated is input 2, which each rank has of its share of the tokens under sequence parallel.
void split_rotary(Splitter& s) {
  RankOp op = s.start();
  const bool whole = (s.options.kernels.fused_rotary && !s.model.rotary_scaled) || s.options.compiled;
  const std::int64_t values = s.values(0) + s.values(1) + s.out_values(0) + s.out_values(1);  // read and written
  const std::int64_t head = s.node().head_dim, rotated = s.model.rotary_dim;
  const bool part = rotated > 0 && rotated < head;
  const std::int64_t unfused = part ? values / head * 5 * rotated + values : 5 * values;
  const PassStep step = s.memory(op.name, s.width() * (whole ? values : unfused), whole ? 2 : part ? 12 : 10);
  op.out = {s.result(0), s.result(1)};
  if (s.in(2) != kNoTensor && s.rank.sequence_parallel) {
    const std::int64_t key = s.rank.tokens * head * s.width();
    op.forward.push_back({s.communicate(op.name, Collective::all_gather, key)});
    op.forward_workspace = {key};
    op.forward.push_back({step});
    op.backward.push_back({step});
    op.backward.push_back({s.communicate(op.name, Collective::reduce_scatter, key)});
    op.backward_workspace.push_back({{key}, true, false});
  } else {
    op.forward.push_back({step});
    op.backward.push_back({step});
  }
  s.finish(std::move(op));
}

}  // namespace orrery::layout
