// The parts that steps share. Each is made of its key and nothing else, so that steps of equal keys have equal parts.
// About so many of each are kept as a sweep needs whose last dimensions change first.
#pragma once
#include <memory>
#include <vector>

#include "orrery/core/kept.hpp"
#include "orrery/program/costs.hpp"
#include "ranks.hpp"
#include "stage_costs.hpp"

namespace orrery::program {

// What tells which ranks are alike.
struct FoldKey {
  std::shared_ptr<Communication> communication;  // of the ranks whose groups call
  std::vector<ObservedCall> calls;
  bool fold = true;
  std::vector<std::int32_t> places;        // StageCosts::alike_places
  std::vector<std::int32_t> apart = {};    // [rank] more that tells them apart (ways to the hosts); empty = nothing
  TeamLevels level = {};                   // messages of teams
  std::vector<std::int32_t> classes = {};  // [rank] those of other parts of the step; empty = none
  friend bool operator==(const FoldKey&, const FoldKey&) = default;
  void add_to(Hash& hash) const;
};

// A cut by layers.
struct PartitionKey {
  std::shared_ptr<const model::ModelGraph> graph;
  std::vector<layout::StageSpan> spans;
  int stages = 1;
  std::int64_t period = 1;  // as that of CutKey
  friend bool operator==(const PartitionKey&, const PartitionKey&) = default;
  void add_to(Hash& hash) const;
};

struct Costs::Parts {
  Kept<PartitionKey, const Cut> partitions{256};
  Kept<CutKey, const Cut> cuts{256};
  Kept<StagesKey, const Stages> stages{256};
  Kept<StageWorkKey, StageWork> work{64};
  Kept<GpuKind, KernelTimes> gpus{64};
  Kept<RanksKey, const Ranks> ranks{256};
  Kept<NetworkKey, Communication> communication{256};
  Kept<StageCostsKey, StageCosts> costs{16};
  KeptPasses passes{64};
  Kept<FoldKey, const Devices> devices{256};
};

// What one step is lowered with.
struct StepParts {
  std::shared_ptr<const Stages> stages;
  std::shared_ptr<Communication> communication;
  std::shared_ptr<StageCosts> costs;
  // Where it is the step of a state of `Passing`: costs of the one whose order it keeps, and which ranks other states
  // tell apart.
  std::shared_ptr<StageCosts> planned = {};
  std::vector<std::int32_t> classes = {};
  const Ranks& ranks() const { return communication->ranks(); }
  Kept<FoldKey, const Devices>* folded = nullptr;
};

// Of a partition of the operators ([operator] its stage); an error where its stages wait for each other in a circle, or
// ranks cannot reach each other. Without costs.
Result<StepParts> checked_parts(const StepInput& input, std::vector<std::int32_t> stage_of, Costs::Parts& known);
// The same, of the partition that the layout says.
Result<StepParts> step_parts(const StepInput& input, Costs::Parts& known);
std::shared_ptr<StageCosts> stage_costs(const StepInput& input, const StepParts& parts, Costs::Parts& known,
                                        bool inside = true);

}  // namespace orrery::program
