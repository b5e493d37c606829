// Small models and stages for the tests of this room.
#pragma once
#include <algorithm>

#include "orrery/layout/pass.hpp"

namespace orrery::layout::test {

inline constexpr PassKind kPasses[] = {PassKind::forward, PassKind::backward, PassKind::input_gradient,
                                       PassKind::weight_gradient};

inline model::ModelSpec gpt(std::int64_t layers, std::int64_t hidden, std::int64_t heads, std::int64_t vocab) {
  model::ModelSpec m;
  m.layers = layers, m.hidden = hidden, m.heads = m.kv_heads = heads, m.ffn_hidden = 4 * hidden, m.vocab = vocab;
  m.max_positions = 2048;
  return m;
}

inline model::ModelSpec llama(std::int64_t layers, std::int64_t hidden, std::int64_t heads, std::int64_t kv,
                              std::int64_t ffn, std::int64_t vocab) {
  model::ModelSpec m = gpt(layers, hidden, heads, vocab);
  m.kv_heads = kv, m.ffn_hidden = ffn;
  m.norm = model::Norm::rms_norm, m.activation = model::Activation::swiglu, m.position = model::Position::rotary;
  m.bias = m.tied_embeddings = m.dropout = false;
  return m;
}

inline StageModel stage_of(const model::ModelSpec& spec, const Layout& layout, const StageSpan& span,
                           const PassOptions& options) {
  const model::ModelGraph graph = graph_of(spec, options);
  return StageModel(graph, layout, operators_of(stage_of_operators(graph, {&span, 1}), 0), options);
}

inline std::int64_t net(const std::vector<PassStep>& steps, MemoryClass memory_class) {
  std::int64_t sum = 0;
  for (const PassStep& step : steps)
    for (const MemoryChange& c : step.memory) sum += c.memory_class == memory_class ? c.bytes.value : 0;
  return sum;
}

// Most bytes held at once in a pass that begins with `held`; the least must not be negative.
struct Extremes {
  std::int64_t least = 0, most = 0;
};
inline Extremes extremes(const std::vector<PassStep>& steps, std::int64_t held) {
  Extremes e{held, held};
  const auto apply = [&](const PassStep& step, bool at_end) {
    for (const MemoryChange& c : step.memory)
      if (c.at_end == at_end) held += c.bytes.value;
    e.least = std::min(e.least, held), e.most = std::max(e.most, held);
  };
  for (const PassStep& step : steps) apply(step, false), apply(step, true);
  return e;
}

}  // namespace orrery::layout::test
