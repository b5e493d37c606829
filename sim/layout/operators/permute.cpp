#include "dispatch.hpp"
#include "operators.hpp"

namespace orrery::layout {

// Tokens (input 0) and scores (input 1) become a copy of each token for each of its experts, with the weight of it.
void split_permute(Splitter& s) {
  if (sends_tokens(s)) {
    s.passes_through(0, 0), s.passes_through(1, 1);
    return;
  }
  RankOp op = s.start();
  const TensorId weights = s.tensor(s.out_values(1), kRouterWeight);
  op.out = {s.result(0), weights};
  s.results_are(1, {weights});
  const std::int64_t bytes = (s.values(0) + s.out_values(0)) * s.width() + 2 * kRouterWeight * s.out_values(1);
  op.forward.push_back({s.memory(op.name, bytes)});
  op.backward.push_back({s.memory(op.name, bytes)});
  // The gradient of the branch meets that of the router's product.
  if (!s.options.compiled) op.backward.push_back({s.memory("input.add_gradient", 3 * s.width() * s.values(0))});
  s.finish(std::move(op));
}

// The copies (input 0) summed to their tokens.
void split_unpermute(Splitter& s) {
  if (sends_tokens(s)) {
    s.passes_through(0, 0);
    return;
  }
  RankOp op = s.start();
  op.out = {s.result(0)};
  const PassStep step = s.memory(op.name, (s.values(0) + s.out_values(0)) * s.width());
  op.forward.push_back({step});
  op.backward.push_back({step});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
