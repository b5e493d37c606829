// Copies of tokens to the ranks of their experts and back (Megatron-LM, core/transformer/moe/token_dispatcher.py,
// all-to-all): an exchange among the ranks that the experts are spread over, then a gather among those that share each
// expert, then a sort by expert. What one direction does forward the other does backward.
#include <algorithm>

#include "operators.hpp"

namespace orrery::layout {
namespace {

struct Exchange {
  std::int64_t sent, received, weights;  // bytes of the copies, and of their weights
};

Exchange exchange_of(const Splitter& s, std::int64_t features) {
  return {s.rank.copies * features * s.width(), s.rank.received * features * s.width(), s.rank.copies * kRouterWeight};
}

std::vector<OpStep> outward(const Splitter& s, const Exchange& e, bool weights) {
  std::vector<OpStep> steps;
  const char* name = model::name_of(s.node().kind);
  const auto call = [&](Collective kind, std::int64_t bytes, Dimension along) {
    steps.push_back({s.communicate(name, kind, bytes, along)});
  };
  if (s.rank.expert > 1) call(Collective::all_to_all, e.sent, Dimension::expert);
  if (s.rank.expert > 1 && weights) call(Collective::all_to_all, e.weights, Dimension::expert);
  if (s.rank.expert_tensor > 1) call(Collective::all_gather, e.received, Dimension::expert_tensor);
  if (s.rank.experts > 1) steps.push_back({s.memory("sort_by_expert", 2 * e.received)});
  return steps;
}

std::vector<OpStep> homeward(const Splitter& s, const Exchange& e, bool weights) {
  std::vector<OpStep> steps = outward(s, e, weights);
  std::reverse(steps.begin(), steps.end());
  for (OpStep& step : steps)
    if (step.step.collective == Collective::all_gather) step.step.collective = Collective::reduce_scatter;
  return steps;
}

bool stays(const Splitter& s) {
  return s.rank.expert == 1 && s.rank.expert_tensor == 1;
}

}  // namespace

// Copies and their weights: inputs 0 and 1.
void split_dispatch(Splitter& s) {
  if (stays(s)) {
    s.passes_through(0, 0), s.passes_through(1, 1);
    return;
  }
  RankOp op = s.start();
  const Exchange e = exchange_of(s, s.features(0));
  const TensorId weights = s.tensor(s.rank.received, kRouterWeight);
  op.out = {s.result(0), weights};
  s.results_are(1, {weights});
  op.forward = outward(s, e, true), op.backward = homeward(s, e, true);
  s.finish(std::move(op));
}

void split_combine(Splitter& s) {
  if (stays(s)) {
    s.passes_through(0, 0);
    return;
  }
  RankOp op = s.start();
  const Exchange e = exchange_of(s, s.features(0));
  op.out = {s.result(0)};
  op.forward = homeward(s, e, false), op.backward = outward(s, e, false);
  s.finish(std::move(op));
}

}  // namespace orrery::layout
