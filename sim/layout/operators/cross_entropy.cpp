// Cross-entropy over a vocabulary split over tensor ranks.
#include <algorithm>

#include "operators.hpp"

namespace orrery::layout {

// Megatron vocab_parallel_cross_entropy: the logits are cast to fp32 (kept, as the softmax), then max, subtraction,
// exp, sum and division pass over them; three all-reduces of one fp32 value a token (maximum, target logit, sum of
// exponentials). The backward pass works in place and casts back. Fused (Transformer Engine): two passes over the
// 16-bit logits, which become their own gradient; ranks exchange three statistics a token.
void split_cross_entropy(Splitter& s) {
  RankOp op = s.start();
  op.loss = true;
  const PassOptions& o = s.options;
  const std::int64_t logits = s.values(0), width = s.width(), token = 4 * s.rank.tokens;
  if (o.kernels.fused_cross_entropy) {
    op.keep_for_input = op.in;
    for (GradientOf& g : op.gradients) g.in_place = true;
    op.forward.push_back({s.memory(op.name, width * logits)});
    if (s.tensor_parallel())
      op.forward.push_back({s.communicate(op.name, Collective::all_gather, 3 * token * s.rank.tensor)});
    op.forward.push_back({s.memory(op.name, 2 * width * logits)});
    s.finish(std::move(op));
    return;
  }
  op.out = op.keep_for_input = {s.tensor(logits, 4)};
  const bool compiled = o.compiled && o.kernels.compiled_loss;
  if (o.kernels.fused_log_softmax && !s.tensor_parallel() && !compiled) {
    // Cast; log_softmax reads a row twice (maximum and sum, result) and writes it. Backward: a gradient of zeros but
    // for the targets is filled in, log_softmax reads it and the result, cast back (ATen SoftMax.cu, Loss.cpp).
    op.forward.push_back({s.memory(op.name, (width + 4 + 12) * logits, 2)});
    for (std::int64_t i = 0; i < o.kernels.loss_copies; ++i)
      op.backward_workspace.push_back({{4 * logits}, true, false});
    op.backward.push_back({s.memory(op.name, (4 + 12 + 4 + width) * logits, 3)});
    s.finish(std::move(op));
    return;
  }
  // PyTorch's loss over shards is handlers of DTensor, which no compiler sees. It holds the exponentials as well
  // (torch/distributed/tensor/parallel/loss.py: (grad_input + torch.exp(x)) * grad_output).
  const bool of_shards = o.kernels.fused_log_softmax && s.tensor_parallel(), whole = compiled && !of_shards;
  const int chain = whole ? 1 : 3;
  op.forward.push_back({s.memory(op.name, (width + 4 + 4) * logits, whole ? 1 : 2)});  // cast, maximum
  const PassStep reduce = s.communicate(op.name, Collective::all_reduce, token);
  if (s.tensor_parallel()) op.forward.push_back({reduce});
  op.forward.push_back({s.memory(op.name, (whole ? 8 : 20) * logits, chain)});  // subtract, exp, sum
  if (s.tensor_parallel()) op.forward.insert(op.forward.end(), 2, OpStep{reduce});
  op.forward.push_back({s.memory(op.name, 8 * logits)});  // divide
  // A compiler writes the gradient of nll_loss straight into that of log_softmax.
  const std::int64_t copies =
      whole ? std::min<std::int64_t>(o.kernels.loss_copies, 1) : o.kernels.loss_copies + (of_shards ? 1 : 0);
  for (std::int64_t i = 0; i < copies; ++i) op.backward_workspace.push_back({{4 * logits}, true, false});
  op.backward.push_back({s.memory(op.name, (whole ? 4 + width : 8 + 4 + width) * logits, 2)});  // scale, cast
  s.finish(std::move(op));
}

}  // namespace orrery::layout
