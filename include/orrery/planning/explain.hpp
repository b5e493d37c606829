// How a scenario's layout lies on its cluster, in words and as a drawing: which GPU holds which layers and which slice
// of them, and which groups talk over which links.
#pragma once
#include "orrery/planning/answer.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::planning {

// Rows are replicas of the model, columns pipeline ranks, boxes the ranks of a team that share the work on one
// micro-batch. Of many the middle is left out of the drawing; the JSON has all ranks.
Answer explain_layout(const scenario::Run& run);

}  // namespace orrery::planning
