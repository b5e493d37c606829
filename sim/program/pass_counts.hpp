// What a pass of a stage is made of, counted: of its steps, or at most.
#pragma once
#include <numeric>
#include <vector>

#include "stage_costs.hpp"

namespace orrery::program {

struct PassCounts {
  double compute = 0;
  layout::PerDimension<double> calls;
  double layers = 0;   // that hold parameters
  double ready = 0;    // layers whose gradients are final
  double units = 0;    // of gradients that each backward pass reduces (ZeRO-2: as many layers as fill a bucket)
  double buckets = 0;  // of gradients that are reduced beside it
  double reads = 0;    // times that the host reads what the device made
  double effects = 0;  // on memory
  double all_calls() const { return std::accumulate(calls.values.begin(), calls.values.end(), 0.0); }
  double steps() const { return compute + all_calls(); }
};

PassCounts count(const layout::StageModel& stage, const std::vector<layout::PassStep>& steps, layout::PassKind kind,
                 const cost::Stack& stack, const layout::PassOptions& pass);
// More than any: of a pass that runs a layer again, of what goes with embedding and head, of a ring that a layer's keys
// and values go around.
PassCounts at_most(const layout::StageSpan& span, const layout::Layout& layout);

}  // namespace orrery::program
