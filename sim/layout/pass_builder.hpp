// From tape and recomputation to the steps of each pass with their memory effects.
#pragma once
#include <functional>

#include "recompute.hpp"

namespace orrery::layout {

// Allocates (bytes > 0) or frees a tensor at the start or end of a step.
void change(std::vector<PassStep>& steps, int step, bool at_end, MemoryClass memory_class, Bytes bytes,
            TensorId tensor);

std::vector<PassStep> forward_pass(const Tape& tape, const Recomputation& recomputed);

// Those of the steps that run, in their order. A call runs beside what is left of the steps that ran beside it.
struct Filtered {
  std::vector<OpStep> steps;
  std::vector<int> at;  // [step before] its place, or that of the first behind it that runs; one past the last: the end
};
Filtered filter(const std::vector<OpStep>& steps, const std::function<bool(const OpStep&)>& runs);

// The backward pass once, as B runs it; I and W are its two projections, so that nothing can be lost between them.
class BackwardPass {
 public:
  BackwardPass(const Tape& tape, const Recomputation& recomputed);
  std::vector<PassStep> pass(PassKind kind) const;
  std::vector<TensorId> held_before(PassKind kind) const;
  const std::vector<OpStep>& steps() const { return steps_; }
  TensorId tensors() const { return static_cast<TensorId>(held_.size()); }  // that it makes or finds
  // What the pass does for operators [first, end): steps of it, and tensors that it makes, numbered from `own`.
  struct Part {
    std::size_t begin = 0, end = 0;
    TensorId first_tensor = 0, tensors = 0;
  };
  Part part_of(std::int32_t first, std::int32_t end, PassKind kind) const;

 private:
  // Memory held from `from` (−1 = since the forward pass) to the last use in either phase (−1 = not used in it).
  struct Held {
    Bytes bytes{};
    TensorId id = kNoTensor;
    int from = -1, last_input = -1, last_weight = -1;
    bool until_end = false;  // of I and of B: it is the message
  };

  // Reached before an operator is differentiated, and at the end.
  struct Reached {
    int steps = 0, held = 0;
  };

  void run_again(std::size_t first, std::size_t last);
  void run_again(const RankOp& op);
  void differentiate(const RankOp& op);
  int there(const std::vector<int>& held, TensorId t) const;
  void gradients(const RankOp& op, int first, std::vector<int>& read, std::vector<int>& made);
  int hold(Bytes bytes, int from, TensorId id = kNoTensor);
  void use(int held, int step);  // by a step: it lives until then
  void use(const std::vector<int>& held, int begin, int end, Phase phase);
  static bool belongs(PassKind kind, const OpStep& step);
  bool only_weight(const Held& held) const;
  bool handed_on(const Held& held) const;
  void effects(PassKind kind, const Held& held, const std::vector<int>& map, std::vector<PassStep>& steps) const;

  const Tape& tape_;
  const Recomputation& recomputed_;
  std::vector<OpStep> steps_;
  std::vector<Held> held_;
  std::vector<Reached> reached_;  // [operators still to be differentiated]
  std::vector<int> forward_;      // tensor → held_: as kept, or as made again; −1 = not there
  std::vector<int> gradient_;     // tensor → held_; −1 = none
};

}  // namespace orrery::layout
