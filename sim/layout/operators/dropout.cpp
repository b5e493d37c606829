#include "operators.hpp"

namespace orrery::layout {

// Of what the embedding makes, or of the attention probabilities. Keeps the mask, one byte a value.
void split_dropout(Splitter& s) {
  RankOp op = s.start();
  op.attention_core = s.node().kind == model::OperatorKind::attention_dropout;
  const std::int64_t values = s.values(0), width = s.width();
  const TensorId mask = s.tensor(s.out_values(0), 1);
  op.out = {s.result(0), mask};
  op.keep_for_input = {mask};
  op.forward.push_back({s.memory(op.name, (2 * width + 1) * values)});
  op.backward.push_back({s.memory(op.name, (2 * width + 1) * values)});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
