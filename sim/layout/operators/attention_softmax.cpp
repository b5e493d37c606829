#include "attention_sinks.hpp"
#include "operators.hpp"

namespace orrery::layout {
namespace {
constexpr std::int64_t kSoftmaxBatches = 4;  // batches per block from 256 keys on (scaled_masked_softmax.h)

// A bias that all sequences share is added (input 1), its gradient summed over them.
void add_bias(const Splitter& s, RankOp& op, std::int64_t values) {
  const std::int64_t bias = s.rank.sequence * s.columns(1), width = s.width();
  op.forward.push_back({s.memory("attention.bias", width * (2 * values + bias))});
  op.backward.push_back({s.memory("attention.bias", width * (values + 2 * bias))});
}

}  // namespace

// Of the scores (input 0), to which the relative scores (input 1) are added where there are any: their gradient is a
// tensor as large.
void split_attention_softmax(Splitter& s) {
  RankOp op = s.start();
  op.attention_core = true;
  const std::int64_t values = s.values(0), width = s.width();
  // The fused kernel takes `kSoftmaxBatches` rows of queries at a time and gives way where they do not divide
  // (Megatron-LM, FusedScaleMaskSoftmax.is_kernel_available: attn_batches % batch_per_block == 0).
  const std::int64_t keys = s.keys();
  const bool divides = values / (s.rank.sequence * keys) % kSoftmaxBatches == 0;
  const bool whole = (s.options.kernels.fused_softmax && divides) || s.options.compiled;
  op.out = op.keep_for_input = {s.result(0)};
  // Unfused, in fp32 (Megatron-LM, fused_softmax.py, forward_torch_softmax): cast, scale, mask, softmax, cast; backward
  // cast, softmax (reads gradient and result), mask, scale, cast. Scores, their fp32 copy, the fp32 result, which is
  // what autograd keeps, and the 16-bit one are there at once: 12 bytes a score. Backward as many: gradient, result and
  // new gradient in fp32. In 16 bits without a scale of the layer: mask in place, softmax; backward softmax, and a copy
  // of the gradient that is masked in place.
  const bool wide = !whole && s.options.kernels.softmax_in_fp32;
  if (wide) {
    op.out.push_back(s.tensor(values, 4));
    op.keep_for_input = {op.out.back()};
    op.forward_workspace = {4 * values};
    op.backward_workspace.push_back({{4 * values}, true, false});
  }
  // A cap on the scores: divide, tanh, multiply, before the softmax.
  if (s.model.score_cap) op.forward.push_back({s.memory("attention.score_cap", 2 * width * values, whole ? 1 : 3)});
  const bool biased = s.model.position == model::Position::relative_bias && s.in(1) != kNoTensor;
  if (biased) add_bias(s, op, values);
  struct Chain {
    std::int64_t bytes;  // a score
    int kernels;
  };
  const Chain forward = whole ? Chain{2 * width, 1} : wide ? Chain{2 * width + 32, 5} : Chain{4 * width, 2};
  const Chain backward = whole ? Chain{3 * width, 1} : wide ? Chain{2 * width + 36, 5} : Chain{7 * width, 3};
  op.forward.push_back({s.memory(op.name, forward.bytes * values, forward.kernels)});
  op.backward.push_back({s.memory(op.name, backward.bytes * values, backward.kernels)});
  if (s.model.score_cap) op.backward.push_back({s.memory("attention.score_cap", 3 * width * values, whole ? 1 : 3)});
  attention_sinks(s, op);
  s.finish(std::move(op));
}

}  // namespace orrery::layout
