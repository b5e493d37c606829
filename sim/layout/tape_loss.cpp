// Cross-entropy over a vocabulary split over tensor ranks.
#include <algorithm>

#include "tape_builder.hpp"

namespace orrery::layout {

// Megatron vocab_parallel_cross_entropy: the logits are cast to fp32 (kept, as the softmax), then max, subtraction,
// exp, sum and division pass over them; three all-reduces of one fp32 value a token (maximum, target logit, sum of
// exponentials). The backward pass works in place and casts back. Fused (Transformer Engine): two passes over the
// 16-bit logits, which become their own gradient; ranks exchange three statistics a token.
void TapeBuilder::cross_entropy() {
  RankOp op = start("cross_entropy");
  const std::int64_t logits = checked_mul(r_.tokens, r_.vocab), width = activation_bytes(), token = 4 * r_.tokens;
  op.in = {branch_};
  op.loss = true;
  if (o_.fused_cross_entropy) {
    op.keep_for_input = {branch_};
    op.gradients = {{branch_, kNoTensor, true}};
    op.forward.push_back({memory(op.name, width * logits)});
    if (tensor_parallel()) op.forward.push_back({communicate(op.name, Collective::all_gather, 3 * token * r_.tensor)});
    op.forward.push_back({memory(op.name, 2 * width * logits)});
    tape_.ops.push_back(std::move(op));
    return;
  }
  op.gradients = {{branch_}};
  op.out = op.keep_for_input = {tensor(logits, 4)};
  if (o_.fused_log_softmax && !tensor_parallel() && !o_.compiled) {
    // Cast; log_softmax reads a row twice (maximum and sum, result) and writes it. Backward: a gradient of zeros but
    // for the targets is filled in, log_softmax reads it and the result, cast back (ATen SoftMax.cu, Loss.cpp).
    op.forward.push_back({memory(op.name, (width + 4 + 12) * logits, 2)});
    for (int i = 0; i < o_.loss_copies; ++i) op.backward_workspace.push_back({{4 * logits}, true, false});
    op.backward.push_back({memory(op.name, (4 + 12 + 4 + width) * logits, 3)});
    finish(std::move(op));
    return;
  }
  const int chain = o_.compiled ? 1 : 3;
  op.forward.push_back({memory(op.name, (width + 4 + 4) * logits, o_.compiled ? 1 : 2)});  // cast, maximum
  const PassStep reduce = communicate(op.name, Collective::all_reduce, token);
  if (tensor_parallel()) op.forward.push_back({reduce});
  op.forward.push_back({memory(op.name, (o_.compiled ? 8 : 20) * logits, chain)});  // subtract, exp, sum
  if (tensor_parallel()) op.forward.insert(op.forward.end(), 2, OpStep{reduce});
  op.forward.push_back({memory(op.name, 8 * logits)});  // divide
  // A compiler writes the gradient of nll_loss straight into that of log_softmax.
  const int copies = o_.compiled ? std::min(o_.loss_copies, 1) : o_.loss_copies;
  for (int i = 0; i < copies; ++i) op.backward_workspace.push_back({{4 * logits}, true, false});
  op.backward.push_back({memory(op.name, (o_.compiled ? 4 + width : 8 + 4 + width) * logits, 2)});  // scale, cast
  finish(std::move(op));
}

}  // namespace orrery::layout
