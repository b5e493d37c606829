// What the columns of runs_moe.csv say of experts, latent attention and pipelines that are written out.
#pragma once
#include "cells.hpp"
#include "orrery/layout/pass.hpp"
#include "orrery/model/spec.hpp"

namespace orrery::validation {

void read_experts(const Cells& cells, model::ModelSpec& m);
// Degrees of the experts, and layers of the stages where the row writes its pipeline out.
void read_expert_layout(const Cells& cells, const model::ModelSpec& m, layout::Layout& l);

std::vector<layout::RecomputeModule> read_modules(const Cells& cells);  // of `recompute`

}  // namespace orrery::validation
