#include "orrery/schedule/placement.hpp"

namespace orrery::schedule {
namespace {

Placement sized(int ranks, int stages, int pipes) {
  check(ranks > 0 && stages > 0, "a placement needs ranks and stages");
  Placement placement;
  placement.ranks = ranks;
  placement.stages = stages;
  placement.pipes = pipes;
  placement.rank.resize(static_cast<std::size_t>(stages) * static_cast<std::size_t>(pipes));
  return placement;
}

}  // namespace

Placement linear_placement(int ranks) {
  return looped_placement(ranks, 1);
}

Placement looped_placement(int ranks, int chunks) {
  Placement placement = sized(ranks, ranks * chunks, 1);
  for (int stage = 0; stage < placement.stages; ++stage)
    placement.rank[static_cast<std::size_t>(stage)] = stage % ranks;
  return placement;
}

Placement v_placement(int ranks) {
  Placement placement = sized(ranks, 2 * ranks, 1);
  for (int stage = 0; stage < placement.stages; ++stage) {
    placement.rank[static_cast<std::size_t>(stage)] = stage < ranks ? stage : 2 * ranks - 1 - stage;
  }
  return placement;
}

Placement bidirectional_placement(int ranks) {
  Placement placement = sized(ranks, ranks, 2);
  for (int stage = 0; stage < ranks; ++stage) {
    placement.rank[static_cast<std::size_t>(stage)] = stage;
    placement.rank[static_cast<std::size_t>(ranks + stage)] = ranks - 1 - stage;
  }
  return placement;
}

std::vector<int> ranks_along_model(const Placement& placement) {
  std::vector<int> order;
  std::vector<bool> reached(static_cast<std::size_t>(placement.ranks), false);
  const auto reach = [&](int rank) {
    if (!reached[static_cast<std::size_t>(rank)]) order.push_back(rank);
    reached[static_cast<std::size_t>(rank)] = true;
  };
  for (int stage = 0; stage < placement.stages; ++stage) reach(placement.rank_of(stage));
  for (int rank = 0; rank < placement.ranks; ++rank) reach(rank);
  return order;
}

}  // namespace orrery::schedule
