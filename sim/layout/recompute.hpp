// What a recompute policy keeps from the forward pass, and what it runs again in the backward pass.
#pragma once
#include "rank_ops.hpp"

namespace orrery::layout {

struct Recomputation {
  // Operators [first, last] run again, in their order, when the backward pass reaches operator `at`: the last of them,
  // or the last that reads what they make.
  struct Segment {
    std::int32_t first = 0, last = 0, at = 0;
    bool until_read = false;
  };
  std::vector<Segment> segments;       // in the order of the operators
  std::vector<std::int32_t> segment;   // per operator: of `segments`; −1 = never run again
  std::vector<bool> again;             // per operator: runs again
  std::vector<bool> saved;             // per tensor: held from the forward to the backward pass
  std::vector<std::int32_t> producer;  // per tensor; −1 = from the stage before
};
Recomputation recomputation_of(const Tape& tape, const model::ModelSpec& spec, const PassOptions& options);

// Full recompute: the first of the layers that are run again together with `layer`, of a stage that begins with layer
// `first`; −1 = it is not run again.
std::int64_t run_again_from(std::int64_t layer, std::int64_t first, const model::ModelSpec& spec,
                            const PassOptions& options);

// Whether a step of the forward pass runs again: not where the policy keeps what it makes.
inline bool runs_again(const Tape& tape, const OpStep& step) {
  return step.makes == kNoTensor || !tape.keep_always[static_cast<std::size_t>(step.makes)];
}

// Whether the policy drops what an operator makes behind its readers, and makes it again for their backward passes.
bool dropped_until_read(model::OperatorKind kind, const PassOptions& options);

}  // namespace orrery::layout
