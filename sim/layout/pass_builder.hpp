// From tape and recompute plan to the steps of each pass with their memory effects.
#pragma once
#include "recompute.hpp"

namespace orrery::layout {

std::vector<PassStep> forward_pass(const Tape& tape, const RecomputePlan& plan);

// The backward pass once, as B runs it; I and W are its two projections, so that nothing can be lost between them.
class BackwardPass {
 public:
  BackwardPass(const Tape& tape, const RecomputePlan& plan);
  std::vector<PassStep> pass(PassKind kind) const;
  Flops flops() const;

 private:
  struct Step {
    PassStep step;
    Phase phase = Phase::input;
    int needed = -1, chunked = -1;  // indices of B; −1 = none
  };
  // Memory held from `from` (−1 = since the forward pass) to the last use in either phase (−1 = not used in it).
  struct Held {
    Bytes bytes{};
    int from = -1, last_input = -1, last_weight = -1;
    bool until_end = false;  // of I and of B: it is the message
  };

  void run_again(std::size_t first, std::size_t last);
  void run_again(const RankOp& op);
  void differentiate(const RankOp& op);
  void gradients(const RankOp& op, int first, int last_input, int last_weight);
  int append(const std::vector<OpStep>& steps, const std::vector<int>& position, bool again);
  int hold(Bytes bytes, int from, int last_input, int last_weight = -1);
  void effects(PassKind kind, const Held& held, const std::vector<int>& map, std::vector<PassStep>& steps) const;

  const Tape& tape_;
  const RecomputePlan& plan_;
  std::vector<Step> steps_;
  std::vector<Held> held_;
  std::vector<int> forward_;   // tensor → held_: as kept, or as made again; −1 = not there
  std::vector<int> gradient_;  // tensor → held_; −1 = none
};

}  // namespace orrery::layout
