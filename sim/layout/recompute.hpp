// What a recompute policy keeps from the forward pass, and what it runs again in the backward pass.
#pragma once
#include "rank_ops.hpp"

namespace orrery::layout {

struct Recomputation {
  // Per operator: operators of one segment (≥ 0) run again together when the backward pass reaches its last one; −1 =
  // never.
  std::vector<std::int64_t> segment;
  std::vector<bool> again;             // per operator: runs again
  std::vector<bool> saved;             // per tensor: held from the forward to the backward pass
  std::vector<std::int32_t> producer;  // per tensor; −1 = from the stage before
};
Recomputation recomputation_of(const Tape& tape, std::int64_t model_layers, const PassOptions& options);

// Whether a step of the forward pass runs again: not where the policy keeps what it makes.
inline bool runs_again(const Tape& tape, const OpStep& step) {
  return step.makes == kNoTensor || !tape.keep_always[static_cast<std::size_t>(step.makes)];
}

}  // namespace orrery::layout
