// How many tasks the Program of a step has, and the memory that lowering and playing it takes, from the lengths of its
// schedule and passes: known before a schedule or a task is made. Within a factor of two of the truth.
#pragma once
#include "orrery/layout/pass.hpp"
#include "orrery/program/lower.hpp"

namespace orrery::program {

// What there is on a pipeline rank, on average over the ranks: teams (devices that share micro-batches and layers),
// devices of a team, groups of them that communicate, and the part of the teams whose devices are all alike.
struct TeamShape {
  double teams = 1, members = 1;
  layout::PerDimension<double> groups = layout::for_each_dimension(1.0);
  double alike = 1;
};
// One device for all alike ranks of a pipeline rank, the least that folding leaves; or every rank.
TeamShape folded_teams();
TeamShape teams_of_all_ranks(const layout::Layout& layout);

struct StepSize {
  const model::ModelSpec& model;
  const layout::Layout& layout;
  const layout::PassOptions& pass;
  const cost::Stack& stack;
  int stages = 1, pipes = 1;       // of the schedule
  std::int64_t micro_batches = 1;  // of all pipes together
  bool split_backward = false;
  bool flows = false, fuse = true;
  int steps = 1;  // of training
  TeamShape teams;
  layout::Offload offload = {};
};
Footprint footprint_of(const StepSize& size);
// No less than footprint_of, in a thousandth of its time: no pass is made, a layer is taken to have more steps than any
// has.
Footprint footprint_at_most(const StepSize& size);
// By the passes that a lowering has made already.
class StageCosts;
Footprint footprint_of(const StepSize& size, StageCosts& made);

// Whether the norm of all gradients goes from stage to stage and no rank waits for it before it updates: work then
// crosses from a step to the next, and the Program holds two.
bool post_validates(const cost::StackOptimizer& optimizer, const layout::Layout& layout, bool split_backward);

}  // namespace orrery::program
