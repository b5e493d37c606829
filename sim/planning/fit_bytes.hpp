// Bytes of a parameter by class, and what they say of sharding and of what would make a model fit, without layers.
#pragma once
#include "orrery/planning/fit.hpp"

namespace orrery::planning {

struct PerParameter {
  double weights = 0, gradients = 0, optimizer = 0;
  double total() const { return weights + gradients + optimizer; }
};
Result<PerParameter> bytes_of(const FitQuestion& question);

// What an allocator can have of the GPU; of training also without what the libraries of the stack have beside it.
Result<double> usable_bytes(const FitQuestion& question, Catalogue& catalogue);

// DDP, ZeRO-1 to 3 and FSDP over so many GPUs: held, and sent a step. `usable`: bytes of a GPU.
AnswerTable strategies(const FitQuestion& question, const PerParameter& bytes, double usable);

// What would make it fit where one GPU does not hold it, the cheapest by the hour first; no rows where it does.
AnswerTable changes(const FitQuestion& question, const PerParameter& bytes, double usable);

}  // namespace orrery::planning
