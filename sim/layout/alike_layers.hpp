// A stage of many layers that do the same, told by a few of them: its first, one that stands for all between, its last.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "orrery/layout/pass.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::layout {

// In periods of layers (attention may look far back in every second of them only). The second of three such periods
// stands for itself and for those left out.
struct AlikeLayers {
  std::int64_t first_layer = 0;  // of the second
  std::int64_t period = 1;       // layers
  std::int64_t left_out = 0;     // periods
  bool stands_for_more(std::int64_t layer) const { return layer >= first_layer && layer < first_layer + period; }
};

// The same stage without what is left out: the operators behind that read of the second period what they read of the
// last one left out. Layers keep their numbers.
struct ShortStage {
  model::ModelGraph graph;
  std::vector<std::int32_t> nodes;
  AlikeLayers alike;
};
// `nodes` are operators of the graph, in its order. Periods are treated alike by the recomputation and by the loads of
// the experts. None where fewer than four do the same.
std::optional<ShortStage> short_stage(const model::ModelGraph& graph, std::span<const std::int32_t> nodes,
                                      const PassOptions& options);

}  // namespace orrery::layout
