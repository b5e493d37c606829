// Which stages of a partition do the same work: of a model of equal layers the first, the last, and all between.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "orrery/layout/pass.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::layout {

// [stage] the first stage whose passes are the same but for the number of the layer that a step names: operators of the
// same shape that read of each other and of other stages in the same way, at the same place in the period of the
// recomputation. `stage_of[i]` is the stage of operator i.
std::vector<std::int32_t> alike_stages(const model::ModelGraph& graph, std::span<const std::int32_t> stage_of,
                                       int stages, const PassOptions& options);

// The same told of any stages, of other partitions of the graph too: [stage] words that are equal where the passes are.
// Layers that are `period` apart are treated alike by the recomputation and by the loads of the experts, but for what
// the recomputation counts from the first layer of a stage, as the words do.
std::vector<std::vector<std::int64_t>> stage_signatures(const model::ModelGraph& graph,
                                                        std::span<const std::int32_t> stage_of, int stages,
                                                        std::int64_t period);
std::int64_t recompute_period(const PassOptions& options);
std::vector<std::int32_t> first_alike(const std::vector<std::vector<std::int64_t>>& signatures);

// The layers a stage has operators of.
StageSpan span_of(const model::ModelGraph& graph, std::span<const std::int32_t> nodes);

}  // namespace orrery::layout
