// What the columns of runs_moe.csv say of experts, latent attention and pipelines that are written out.
#pragma once
#include "cells.hpp"
#include "orrery/core/catalogue.hpp"
#include "orrery/cost/stack.hpp"
#include "orrery/layout/pass.hpp"
#include "orrery/model/spec.hpp"

namespace orrery::validation {

void read_experts(const Cells& cells, model::ModelSpec& m);
// What no column says of attention, norms of the heads and biases: as the preset of that name, where its shapes are
// those of the row.
void read_unsaid(Catalogue& catalogue, model::ModelSpec& m);
// Degrees of the experts, and layers of the stages where the row writes its pipeline out.
void read_expert_layout(const Cells& cells, const model::ModelSpec& m, layout::Layout& l);

layout::Dispatcher read_dispatcher(const Cells& cells);
// What is replayed as graphs; of a stack that launches for itself (eager).
void read_graphs(const Cells& cells, cost::StackLaunch& launch);
std::vector<layout::RecomputeModule> read_modules(const Cells& cells);  // of `modules:a+b`

}  // namespace orrery::validation
