#include "operators.hpp"

namespace orrery::layout {
namespace {

bool of_experts(const Splitter& s) {
  return s.node().kind == model::OperatorKind::expert_activation;
}

// Rows of experts are weighed in the kernel of a gated activation alone; of any other the result is kept for the
// gradient of the weights, and a second kernel weighs it (Megatron-LM, core/transformer/mlp.py: "Only support fusion of
// swiglu with per_token_scale").
bool weighed_apart(const Splitter& s) {
  return of_experts(s) && !s.model.gated() && !s.options.compiled;
}

// Gate and up are clamped each, and put side by side again for the kernel that reads both (Megatron-LM,
// core/fusions/fused_bias_geglu.py, weighted_bias_quick_geglu_impl: torch.cat of two clamps).
bool clamped(const Splitter& s) {
  return of_experts(s) && s.model.gated() && s.model.experts.clamped && !s.options.compiled;
}

bool whole(const Splitter& s) {
  return (s.options.kernels.fused_bias_activation && !weighed_apart(s)) || s.options.compiled;
}

void kernels(const Splitter& s, RankOp& op) {
  // Over the values made: a gated activation reads twice as many.
  const std::int64_t values = (s.model.gated() ? s.values(0) / 2 : s.values(0)) * s.width();
  struct Cost {
    std::int64_t passes;  // over `values`, reads and writes
    int kernels;
  };
  Cost forward{2, 1}, backward{3, 1};
  if (s.model.gated()) {
    forward = whole(s) ? Cost{3, 1} : Cost{5, 2};   // silu, multiply
    backward = whole(s) ? Cost{5, 1} : Cost{9, 3};  // multiply twice, silu
  } else if (!whole(s) && s.model.activation == model::Activation::squared_relu) {
    forward = {4, 2}, backward = {6, 2};
  }
  // Read and write each half, then both; backward two clamps read the mask as well.
  if (clamped(s)) forward.passes += 8, forward.kernels += 3, backward.passes += 10, backward.kernels += 3;
  // Backward: times the weight, and the sum over a row of gradient times result.
  if (weighed_apart(s)) forward.passes += 2, forward.kernels += 1, backward.passes += 6, backward.kernels += 3;
  const bool bias = of_experts(s) ? s.model.experts.bias : s.model.bias || s.model.mlp_bias;
  if (!whole(s) && bias) forward.passes += s.model.gated() ? 4 : 2, forward.kernels += 1;
  op.forward.push_back({s.memory(op.name, forward.passes * values, forward.kernels)});
  op.backward.push_back({s.memory(op.name, backward.passes * values, backward.kernels)});
}

}  // namespace

// Of experts the result is times the weight that the router gives the row, input 1. What is kept: the input (GELU,
// fused SwiGLU), the result (ReLU, whose result is the input of fc2), the result of the inner ReLU (squared ReLU);
// unfused SwiGLU both inputs and silu(gate). Where it is weighed apart, the result before that as well.
void split_activation(Splitter& s) {
  RankOp op = s.start();
  op.out = {s.result(0)};
  const bool apart = weighed_apart(s);
  if (s.model.activation == model::Activation::relu) {
    if (!apart) op.keep_for_input = {op.out.front()};
    if (of_experts(s)) op.keep_for_input.push_back(s.in(1));
  } else if (!whole(s) && s.model.activation != model::Activation::gelu) {
    const TensorId inner = s.tensor(s.out_values(0));  // silu(gate) or relu(x)
    op.out.push_back(inner);
    if (s.model.gated()) op.keep_for_input = op.in;
    if (apart) op.keep_for_input = {s.in(1)};
    op.keep_for_input.push_back(inner);
  } else {
    op.keep_for_input = op.in;
  }
  if (clamped(s)) {  // what the kernel read; its own input is the clamps' mask
    op.out.push_back(s.tensor(s.values(0)));
    op.keep_for_input.push_back(op.out.back());
  }
  if (apart) {
    op.out.push_back(s.tensor(s.out_values(0)));
    op.keep_for_input.push_back(op.out.back());
  }
  kernels(s, op);
  s.finish(std::move(op));
}

// GELU of what the head of an encoder made.
void split_head_activation(Splitter& s) {
  RankOp op = s.start();
  op.out = {s.result(0)};
  op.keep_for_input = op.in;
  op.forward.push_back({s.memory(op.name, 2 * s.values(0) * s.width())});
  op.backward.push_back({s.memory(op.name, 3 * s.values(0) * s.width())});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
