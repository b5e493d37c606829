#include "orrery/schedule/placement.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

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

std::vector<int> mirrors(const Placement& placement) {
  std::vector<int> mirror(static_cast<std::size_t>(placement.ranks));
  std::iota(mirror.begin(), mirror.end(), 0);
  if (placement.pipes == 1) return mirror;
  std::vector<bool> known(mirror.size(), false);
  const auto pair = [&](int rank, int with) {
    const auto r = static_cast<std::size_t>(rank);
    if (!known[r]) mirror[r] = with;
    known[r] = true;
    return mirror[r] == with;
  };
  for (int stage = 0; stage < placement.stages; ++stage) {
    const int a = placement.rank_of(stage, 0), b = placement.rank_of(stage, 1);
    if (!pair(a, b) || !pair(b, a)) return {};
  }
  return mirror;
}

bool is_mirrored(const Schedule& schedule) {
  const std::vector<int> mirror = mirrors(schedule.placement);
  for (std::size_t rank = 0; rank < mirror.size(); ++rank) {
    std::vector<Operation> other = schedule.order[static_cast<std::size_t>(mirror[rank])];
    for (Operation& o : other) {
      o.pipe = 1 - o.pipe;
      if (o.kind == OpKind::overlapped) o.backward_pipe = 1 - o.backward_pipe;
    }
    if (other != schedule.order[rank]) return false;
  }
  return !mirror.empty();
}

std::vector<std::vector<int>> holders_of(const Placement& placement, const std::vector<std::int32_t>& stages) {
  std::map<std::set<int>, std::vector<int>> copies;
  std::map<int, std::set<std::int32_t>> held;
  for (int pipe = 0; pipe < placement.pipes; ++pipe) {
    std::vector<int> holders;
    for (const std::int32_t stage : stages) {
      const int holder = placement.rank_of(stage, pipe);
      held[holder].insert(stage);
      if (std::find(holders.begin(), holders.end(), holder) == holders.end()) holders.push_back(holder);
    }
    copies.try_emplace(std::set<int>(holders.begin(), holders.end()), holders);
  }
  const std::set<std::int32_t> all(stages.begin(), stages.end());
  std::vector<std::vector<int>> result;
  if (std::ranges::any_of(held, [&](const auto& of) { return of.second == all; })) return result;
  for (const auto& [of, holders] : copies) result.push_back(holders);
  return result;
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
