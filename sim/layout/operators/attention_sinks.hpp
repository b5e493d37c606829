#pragma once
#include "splitter.hpp"

namespace orrery::layout {

// A learned score for nothing, one a head of this rank: its gradient is a sum over all rows, taken with the others.
inline void attention_sinks(const Splitter& s, RankOp& op) {
  if (s.node().own == 0) return;
  const std::int64_t sinks = s.node().own / s.rank.tensor;
  PassStep gradient = s.memory("attention.sinks", 4 * s.rank.tokens * sinks + 2 * s.options.gradient_bytes * sinks);
  gradient.gradients_ready = sinks;
  op.backward.push_back({gradient, Phase::weight});
}

}  // namespace orrery::layout
