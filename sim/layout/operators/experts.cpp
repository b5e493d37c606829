// The experts of a rank, each with its own rows, as one grouped product; and what is shared beside them.
#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {
namespace {

void grouped(Splitter& s, std::int64_t in, std::int64_t out, bool weighted_bias) {
  Linear linear = linear_of(s, in, out);
  linear.weighted_bias = weighted_bias;
  linear.tokens = s.rank.received, linear.matrices = s.rank.experts, linear.of_matrix = s.rank.of_expert;
  plain_linear(s, linear);
}

}  // namespace

void split_expert_fc1(Splitter& s) {
  grouped(s, s.features(0), s.out_columns(0), false);
}

// Rows are weighed before this product, so what it adds must be weighed too.
void split_expert_fc2(Splitter& s) {
  grouped(s, s.columns(0), s.out_features(0), true);
}

// The output of the shared experts (input 0) times a sigmoid of the token (input 1).
void split_shared_gate(Splitter& s) {
  RankOp op = s.start();
  op.out = {s.result(0)};
  op.keep_for_input = op.in, op.keep_for_weight = {s.in(1)};
  const std::int64_t bytes = (2 * s.values(0) + s.values(1)) * s.width();
  op.forward.push_back({s.memory(op.name, bytes, s.options.compiled ? 1 : 3)});
  op.backward.push_back({s.memory(op.name, 2 * bytes, s.options.compiled ? 1 : 5)});
  PassStep gradient = s.memory("shared.gate", s.values(1) * s.width() + s.node().own * 2 * s.options.gradient_bytes);
  gradient.gradients_ready = s.node().own;
  s.replicated_parameters(s.node().own);
  op.backward.push_back({gradient, Phase::weight});
  s.finish(std::move(op));
}

// Routed and shared: inputs 0 and 1. Both gradients are the incoming one.
void split_expert_sum(Splitter& s) {
  RankOp op = s.start();
  const TensorId sum = s.result(0);
  op.out = {sum};
  for (GradientOf& g : op.gradients) g.same_as = sum;
  op.forward.push_back({s.memory(op.name, 3 * s.width() * s.values(0))});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
