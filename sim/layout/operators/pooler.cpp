// What an encoder is trained with beside its tokens: whether one sentence follows the other (Devlin et al. 2019,
// section 3.1), told from the first token of each sequence. Every rank of a stage does all of it.
#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {
namespace {

Linear of_sequences(const Splitter& s) {
  Linear linear = linear_of(s, s.features(0), s.out_features(0));
  linear.type = s.options.activation, linear.tokens = s.rank.micro_batch;
  linear.copies = s.rank.tensor * s.rank.context;
  return linear;
}

}  // namespace

// A linear layer of the first tokens of input 0, and tanh. Its gradient is one of all tokens, of zeros but for those.
void split_pooler(Splitter& s) {
  const std::int64_t made = s.out_values(0) * s.width();
  RankOp op = plain_linear_of(s, of_sequences(s));
  op.forward.push_back({s.memory("pooler.tanh", 2 * made)});
  op.backward.insert(op.backward.begin(), {s.memory("pooler.tanh", 3 * made)});
  op.keep_for_input.push_back(op.out.front());
  op.backward.push_back({s.memory("pooler.scatter", s.values(0) * s.width())});
  s.finish(std::move(op));
}

// Two classes, softmax and loss.
void split_next_sentence(Splitter& s) {
  RankOp op = plain_linear_of(s, of_sequences(s));
  op.loss = true;  // the gradient begins in it
  op.weight_reads_gradient_of.clear();
  op.backward_workspace.push_back({{s.out_values(0) * s.width()}, true, true});
  op.forward.push_back({s.memory("next_sentence.loss", 8 * s.out_values(0))});
  op.backward.insert(op.backward.begin(), {s.memory("next_sentence.loss", 8 * s.out_values(0))});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
