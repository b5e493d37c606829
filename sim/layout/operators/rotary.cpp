#include "operators.hpp"

namespace orrery::layout {

// Fused: one kernel each for queries and keys. Unfused: x·cos + rotate_half(x)·sin, five kernels each.
void split_rotary(Splitter& s) {
  RankOp op = s.start();
  const bool whole = s.options.kernels.fused_rotary || s.options.compiled;
  const std::int64_t values = s.values(0) + s.values(1) + s.out_values(0) + s.out_values(1);  // read and written
  const PassStep step = s.memory(op.name, (whole ? 1 : 5) * s.width() * values, whole ? 2 : 10);
  op.out = {s.result(0), s.result(1)};
  op.forward.push_back({step});
  op.backward.push_back({step});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
