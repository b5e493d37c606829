#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {
namespace {
constexpr std::int64_t kScoreBytes = 4, kLogitBytes = 4, kMapBytes = 1;  // fp32 scores and logits, and who is chosen
}  // namespace

// A score for each expert, softmax or sigmoid, the best of them. Whole on every tensor rank, never in fp8. The bias for
// the choice has no gradient: it follows the counts of tokens.
void split_router(Splitter& s) {
  RankOp op = s.start();
  Linear score = linear_of(s, s.features(0), s.out_features(0));
  score.type = s.options.activation, score.tokens = s.rank.shard_tokens;
  const std::int64_t scores = s.out_values(0);
  const TensorId made = s.tensor(scores, kScoreBytes), kept = s.tensor(scores, kLogitBytes + kMapBytes);
  s.results_are(0, {made});
  op.out = {made, kept};
  op.keep_for_input = {made, kept}, op.keep_for_weight = op.in;
  op.weight_reads_gradient_of = {made};
  const auto product = [&](std::int64_t n, std::int64_t k, model::GemmLayout how) {
    return OpStep{s.compute(op.name, s.gemm(score.tokens, n, k, how, score.type))};
  };
  // Read and written: logits, scores, map. Fused into one kernel behind the product, or a dozen small ones.
  const bool whole = s.options.compiled;
  op.forward.push_back(product(score.out, score.in, model::GemmLayout::tn));
  op.forward.push_back(
      {s.memory("router.choice", (2 * kLogitBytes + kScoreBytes + kMapBytes) * scores, whole ? 1 : 12)});
  op.backward.push_back({s.memory("router.choice", (2 * kScoreBytes + kLogitBytes) * scores, whole ? 1 : 6)});
  op.backward.push_back(product(score.in, score.out, model::GemmLayout::nn));
  weight_gradient(s, op, score, score.tokens);
  op.backward.back().step.gradients_ready += s.node().own;
  s.replicated_parameters((score.rows + score.bias) * score.out);
  s.finish(std::move(op));
}

}  // namespace orrery::layout
