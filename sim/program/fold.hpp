// Folding: ranks that are provably alike become one simulated device.
//
// The classes are the coarsest equitable partition found by colour refinement (Paige & Tarjan; Berkholz, Bonsma &
// Grohe): start with what a rank is by itself (its pipeline rank, its own costs), then split until all ranks of a class
// see, in each relation (process group along a dimension, gradient group, neighbours in the pipeline), the same costs
// and the same classes. Ranks of one class then have equal times in every evaluation in which transfers do not share
// links.
#pragma once
#include <cstdint>
#include <vector>

namespace orrery::program {

struct Relation {
  const std::vector<std::vector<std::int32_t>>* groups = nullptr;
  std::vector<std::int64_t> cost;  // [group] equal numbers = equal costs
  bool ordered = false;            // a pair whose ends differ: (from, to)
};

// Class of each rank, numbered by first appearance.
std::vector<std::int32_t> fold_classes(const std::vector<std::int64_t>& initial,
                                       const std::vector<Relation>& relations);

}  // namespace orrery::program
