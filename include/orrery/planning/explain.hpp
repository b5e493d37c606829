// Why a run is as it is: how its layout lies on its cluster, what sets its step time, and what one layer of it costs.
#pragma once
#include "orrery/planning/answer.hpp"
#include "orrery/scenario/simulate.hpp"

namespace orrery::planning {

// Which GPU holds which layers and which slice of them, and which groups talk over which links. Rows are replicas of
// the model, columns pipeline ranks, boxes the ranks of a team that share the work on one micro-batch. Of many the
// middle is left out of the drawing; the JSON has all ranks.
Answer explain_layout(const scenario::Run& run);

// The chain of tasks that the step is as long as, by kind; the slack of the rest; the step played again with a tenth
// more of each resource.
Result<Answer> explain_critical_path(const scenario::Run& run, const scenario::RunOptions& options = {});

// One layer, forward and backward, operator by operator.
Result<Answer> explain_operators(const scenario::Run& run, const scenario::RunOptions& options = {});

}  // namespace orrery::planning
