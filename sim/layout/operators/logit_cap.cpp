#include "operators.hpp"

namespace orrery::layout {

// Divide, tanh, multiply. Keeps its result.
void split_logit_cap(Splitter& s) {
  RankOp op = s.start();
  op.out = op.keep_for_input = {s.result(0)};
  const std::int64_t bytes = s.values(0) * s.width();
  const int kernels = s.options.compiled ? 1 : 3;
  op.forward.push_back({s.memory(op.name, kernels * 2 * bytes, kernels)});
  op.backward.push_back({s.memory(op.name, kernels * 3 * bytes, kernels)});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
