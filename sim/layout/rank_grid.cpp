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
  for (const DimensionFacts& d : kDimensionList)
    if (!d.folded) product *= this->*d.degree;
  return product;
}

int Layout::expert_data() const {
  return std::max(tensor * context * data / (expert * expert_tensor), 1);
}

std::vector<std::int64_t> Layout::unlike_micro_batches() const {
  const std::vector<std::int64_t>& counts = micro_batches_per_replica;
  const bool unlike = std::ranges::adjacent_find(counts, std::ranges::not_equal_to{}) != counts.end();
  return batch_split == BatchSplit::even || !unlike ? std::vector<std::int64_t>() : counts;
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
  of.expert = layout.expert, of.expert_tensor = layout.expert_tensor;
  // Whether shards are gathered and gradients scattered counts, not over how many ranks: over two, and those of experts
  // over two, or one where they stand on too many.
  const bool dense = layout.shards_gradients(), experts = layout.shards_gradients(Parameters::experts);
  if (dense || experts) of.zero = layout.zero, of.shard_degree = dense ? 2 : 1;
  if (dense && experts) of.shard_degree *= of.expert * of.expert_tensor;
  of.data = std::max(of.shard_degree, 1);
  of.reduces_after_runs = (dense || experts) && layout.reduces_after_runs;
  return of;
}

RankGrid::RankGrid(const Layout& layout)
    : gradient_(dimensions_that(&DimensionFacts::sums_gradients)), shards_(layout.shards()) {
  const auto order = read_order(layout.order);
  check(order.has_value(), "RankGrid: order not validated");
  int stride = 1;
  for (const Dimension d : *order) {
    if (facts(d).folded) continue;
    degree_[d] = layout.*facts(d).degree;
    stride_[d] = stride;
    stride *= degree_[d];
  }
  expert_data_ = layout.expert_data(), expert_shards_ = layout.shards(Parameters::experts), expert_stride_ = 1;
  stride = 1;
  for (const Dimension d : expert_order(*order)) {
    if (d == Dimension::data) expert_stride_ = stride;
    if (facts(d).folded) degree_[d] = layout.*facts(d).degree, stride_[d] = stride;
    stride *= expert_degree(layout, d);
  }
}

int RankGrid::rank(const Coordinates& at) const {
  int rank = 0;
  for (const DimensionFacts& d : kDimensionList)
    if (!d.folded) rank += at[d.dimension] * stride_[d.dimension];
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

std::vector<int> RankGrid::expert_part(const Coordinates& at, int first, int count, int step) const {
  const int own = rank(at), corner = own - own / expert_stride_ % expert_data_ * expert_stride_;
  std::vector<int> ranks;
  for (int i = 0; i < count; ++i) ranks.push_back(corner + (first + i * step) * expert_stride_);
  return ranks;
}
std::vector<int> RankGrid::expert_gradient_group(const Coordinates& at) const {
  return expert_part(at, 0, expert_data_, 1);
}
std::vector<int> RankGrid::expert_shard_group(const Coordinates& at) const {
  const int place = rank(at) / expert_stride_ % expert_data_;
  return expert_part(at, place / expert_shards_ * expert_shards_, expert_shards_, 1);
}
std::vector<int> RankGrid::expert_replica_group(const Coordinates& at) const {
  const int place = rank(at) / expert_stride_ % expert_data_;
  return expert_part(at, place % expert_shards_, expert_data_ / expert_shards_, expert_shards_);
}

}  // namespace orrery::layout
