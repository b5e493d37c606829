// A forward and a backward pass that run together (DualPipe, combined 1F1B of Megatron-LM) as one pass: compute of the
// two takes turns, and of the communication of each half the share that the stack names runs beside the compute of the
// other. Without such a rule the halves run one after the other.
#pragma once
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "stage_costs.hpp"

namespace orrery::program {

// The order of the steps of both halves: the one that can begin first is next, and a call is made as soon as the step
// before it has ended.
struct JointOrder {
  struct Place {
    int half;  // 0 forward, 1 backward
    std::uint32_t index;
  };
  std::vector<Place> steps;
  std::array<std::vector<std::uint32_t>, 2> at;  // [half][step] its place in `steps`; one past the last step: the end
};
// Of the calls that the next step of their half waits for, this many of a hundred run beside the other half.
JointOrder joint_order(const Pass& forward, const Pass& backward, int percent);
Pass joint_pass(const JointOrder& order, const Pass& forward, const Pass& backward, int percent);

// The joint passes of a run. The order is that of rank 0, so that the members of a group make their calls alike, and by
// the times that were planned with.
class OverlappedPasses {
 public:
  OverlappedPasses(StageCosts& stages, StageCosts& planned, int percent)
      : stages_(stages), planned_(planned), percent_(percent) {}
  const Pass& pass(std::int32_t rank, const schedule::Operation& operation, bool opens);
  // Moves calls from their places in the pass of a half to those in the joint pass.
  void place(const schedule::Operation& operation, bool forward_half, std::vector<DataCall>& calls);

 private:
  const JointOrder& order(const schedule::Operation& operation);

  StageCosts& stages_;
  StageCosts& planned_;
  int percent_;
  std::map<std::array<int, 4>, JointOrder> orders_;  // by stage and pipe of the halves
  std::map<std::pair<const Pass*, const Pass*>, Pass> passes_;
};

}  // namespace orrery::program
