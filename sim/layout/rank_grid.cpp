#include "orrery/layout/rank_grid.hpp"

#include "order.hpp"

namespace orrery::layout {

std::vector<Dimension> dimensions_that(bool DimensionFacts::*are) {
  std::vector<Dimension> those;
  for (const DimensionFacts& d : kDimensionList)
    if (d.*are) those.push_back(d.dimension);
  return those;
}

int Layout::ranks() const {
  int product = 1;
  for (const DimensionFacts& d : kDimensionList) product *= this->*d.degree;
  return product;
}

int Layout::gradient_ranks() const {
  int product = 1;
  for (const DimensionFacts& d : kDimensionList)
    if (d.sums_gradients) product *= this->*d.degree;
  return product;
}

Layout in_passes(const Layout& layout) {
  Layout of;
  of.tensor = layout.tensor, of.context = layout.context, of.sequence_parallel = layout.sequence_parallel;
  // Whether shards are gathered and gradients scattered counts, not over how many ranks.
  if (layout.shards_gradients()) of.zero = layout.zero, of.shard_degree = 2;
  of.reduces_after_runs = layout.shards_gradients() && layout.reduces_after_runs;
  return of;
}

RankGrid::RankGrid(const Layout& layout)
    : gradient_(dimensions_that(&DimensionFacts::sums_gradients)), shards_(layout.shards()) {
  const auto order = read_order(layout.order);
  check(order.has_value(), "RankGrid: order not validated");
  int stride = 1;
  for (const Dimension d : *order) {
    degree_[d] = layout.*facts(d).degree;
    stride_[d] = stride;
    stride *= degree_[d];
  }
}

int RankGrid::rank(const Coordinates& at) const {
  int rank = 0;
  for (std::size_t i = 0; i < kDimensions; ++i) rank += at.values[i] * stride_.values[i];
  return rank;
}

Coordinates RankGrid::coordinates(int rank) const {
  Coordinates at;
  for (std::size_t i = 0; i < kDimensions; ++i) at.values[i] = rank / stride_.values[i] % degree_.values[i];
  return at;
}

int RankGrid::size(std::span<const Dimension> along) const {
  int product = 1;
  for (const Dimension d : along) product *= degree_[d];
  return product;
}

int RankGrid::place(const Coordinates& at, std::span<const Dimension> along) const {
  int place = 0, weight = 1;
  for (const Dimension d : along) {
    place += at[d] * weight;
    weight *= degree_[d];
  }
  return place;
}

// `count` ranks of the group of `at`, from place `first` on, `step` apart: the whole group, which may be all ranks, is
// not written down for each of its parts.
std::vector<int> RankGrid::part(const Coordinates& at, std::span<const Dimension> along, int first, int count,
                                int step) const {
  int corner = rank(at);
  for (const Dimension d : along) corner -= at[d] * stride_[d];
  std::vector<int> ranks;
  ranks.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    int place = first + i * step, rank = corner;
    for (const Dimension d : along) {
      rank += place % degree_[d] * stride_[d];
      place /= degree_[d];
    }
    ranks.push_back(rank);
  }
  return ranks;
}

std::vector<int> RankGrid::group(const Coordinates& at, std::span<const Dimension> along) const {
  return part(at, along, 0, size(along), 1);
}
std::vector<int> RankGrid::gradient_group(const Coordinates& at) const {
  return group(at, gradient_);
}
std::vector<int> RankGrid::shard_group(const Coordinates& at) const {
  return part(at, gradient_, place(at, gradient_) / shards_ * shards_, shards_, 1);
}
std::vector<int> RankGrid::replica_group(const Coordinates& at) const {
  return part(at, gradient_, place(at, gradient_) % shards_, size(gradient_) / shards_, shards_);
}

}  // namespace orrery::layout
