// Ranks as points of a grid with one axis a dimension, and the process groups along its axes.
#pragma once
#include <span>
#include <vector>

#include "orrery/layout/dimension.hpp"

namespace orrery::layout {

using Coordinates = PerDimension<int>;

// Rank ↔ coordinates in the order of the layout, which has been checked (check_layout).
class RankGrid {
 public:
  explicit RankGrid(const Layout& layout);
  int rank(const Coordinates& at) const;
  Coordinates coordinates(int rank) const;
  int degree(Dimension along) const { return degree_[along]; }
  // The ranks that differ from `at` in these dimensions only; the first of them varies fastest.
  std::vector<int> group(const Coordinates& at, std::span<const Dimension> along) const;
  std::vector<int> group(const Coordinates& at, Dimension along) const { return group(at, {&along, 1}); }
  // Those that sum gradients with `at`.
  std::vector<int> gradient_group(const Coordinates& at) const;
  // Hybrid sharding cuts a gradient group into blocks of neighbours: a block holds one copy of the shards, and the
  // ranks at one place of every block hold the same shard (PyTorch's mesh of dp_replicate × (dp_shard · cp), Megatron's
  // instances of the distributed optimizer).
  std::vector<int> shard_group(const Coordinates& at) const;
  std::vector<int> replica_group(const Coordinates& at) const;
  // The same of routed experts: those that hold the same ones, and their blocks.
  std::vector<int> expert_gradient_group(const Coordinates& at) const;
  std::vector<int> expert_shard_group(const Coordinates& at) const;
  std::vector<int> expert_replica_group(const Coordinates& at) const;

 private:
  int size(std::span<const Dimension> along) const;
  int place(const Coordinates& at, std::span<const Dimension> along) const;  // of `at` in its group
  std::vector<int> part(const Coordinates& at, std::span<const Dimension> along, int first, int count, int step) const;

  std::vector<int> expert_part(const Coordinates& at, int first, int count, int step) const;

  PerDimension<int> degree_, stride_;
  std::vector<Dimension> gradient_;
  int shards_;
  int expert_data_, expert_stride_, expert_shards_;  // of the ranks that hold the same experts
};

}  // namespace orrery::layout
