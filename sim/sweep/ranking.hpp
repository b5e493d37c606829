// What is kept of the layouts that were played: the best, the Pareto front, and the nearest of those that do not fit.
#pragma once
#include <algorithm>

#include "orrery/sweep/sweep.hpp"

namespace orrery::sweep {

class Ranking {
 public:
  explicit Ranking(std::size_t top) : top_(std::max<std::size_t>(top, 1)) {}
  void add(const Row& row);
  // The last of the best, once there are as many as wanted.
  const Row* last() const { return best_.size() < top_ ? nullptr : &best_.back(); }
  void give(Outcome& outcome);

 private:
  std::size_t top_;
  std::vector<Row> best_, pareto_;
  std::optional<Row> fastest_, nearest_, nearest_pruned_;
};

}  // namespace orrery::sweep
