#include <algorithm>
#include <array>
#include <string_view>

#include "order.hpp"
#include "orrery/layout/layout.hpp"

namespace orrery::layout {

std::optional<std::vector<std::string_view>> split_order(std::string_view order) {
  std::vector<std::string_view> names;
  for (std::size_t begin = 0; begin <= order.size();) {
    const std::size_t end = std::min(order.find('-', begin), order.size());
    names.push_back(order.substr(begin, end - begin));
    begin = end + 1;
  }
  std::vector<std::string_view> sorted = names;
  std::ranges::sort(sorted);
  std::erase(sorted, "ep");  // expert degree is 1: it may be named and changes nothing
  if (std::ranges::count(names, "ep") > 1 || sorted != std::vector<std::string_view>{"cp", "dp", "pp", "tp"}) return {};
  return names;
}

RankGrid::RankGrid(const Layout& layout)
    : tensor_(layout.tensor),
      context_(layout.context),
      data_(layout.data),
      pipeline_(layout.pipeline),
      shards_(layout.shards()) {
  const auto names = split_order(layout.order);
  check(names.has_value(), "RankGrid: order not validated");
  int stride = 1;
  for (const std::string_view name : *names) {
    if (name == "tp") stride_tensor_ = stride, stride *= tensor_;
    if (name == "cp") stride_context_ = stride, stride *= context_;
    if (name == "dp") stride_data_ = stride, stride *= data_;
    if (name == "pp") stride_pipeline_ = stride, stride *= pipeline_;
  }
}

int RankGrid::rank(const Coordinates& at) const {
  return at.tensor * stride_tensor_ + at.context * stride_context_ + at.data * stride_data_ +
         at.pipeline * stride_pipeline_;
}

Coordinates RankGrid::coordinates(int rank) const {
  return {.tensor = rank / stride_tensor_ % tensor_,
          .context = rank / stride_context_ % context_,
          .data = rank / stride_data_ % data_,
          .pipeline = rank / stride_pipeline_ % pipeline_};
}

std::vector<int> RankGrid::along(const Coordinates& at, bool context, bool data, bool tensor) const {
  std::vector<int> ranks;
  Coordinates c = at;
  for (int d = 0; d < (data ? data_ : 1); ++d)
    for (int x = 0; x < (context ? context_ : 1); ++x)
      for (int t = 0; t < (tensor ? tensor_ : 1); ++t) {
        if (data) c.data = d;
        if (context) c.context = x;
        if (tensor) c.tensor = t;
        ranks.push_back(rank(c));
      }
  return ranks;
}

std::vector<int> RankGrid::tensor_group(const Coordinates& at) const {
  return along(at, false, false, true);
}
std::vector<int> RankGrid::context_group(const Coordinates& at) const {
  return along(at, true, false, false);
}
std::vector<int> RankGrid::data_group(const Coordinates& at) const {
  return along(at, false, true, false);
}
std::vector<int> RankGrid::gradient_group(const Coordinates& at) const {
  return along(at, true, true, false);
}
namespace {

// Ranks of the gradient group of `at` from place `first` on, `stride` apart: the whole group, which may be all ranks,
// is not written down for each of its parts.
std::vector<int> part_of_gradient_group(const RankGrid& grid, Coordinates at, int context, int first, int count,
                                        int stride) {
  std::vector<int> ranks;
  for (int i = 0; i < count; ++i) {
    const int place = first + i * stride;
    at.data = place / context;
    at.context = place % context;
    ranks.push_back(grid.rank(at));
  }
  return ranks;
}

}  // namespace

std::vector<int> RankGrid::shard_group(const Coordinates& at) const {
  const int block = (at.data * context_ + at.context) / shards_;
  return part_of_gradient_group(*this, at, context_, block * shards_, shards_, 1);
}
std::vector<int> RankGrid::replica_group(const Coordinates& at) const {
  const int place = (at.data * context_ + at.context) % shards_;
  return part_of_gradient_group(*this, at, context_, place, data_ * context_ / shards_, shards_);
}
std::vector<int> RankGrid::pipeline_group(const Coordinates& at) const {
  std::vector<int> ranks;
  Coordinates c = at;
  for (c.pipeline = 0; c.pipeline < pipeline_; ++c.pipeline) ranks.push_back(rank(c));
  return ranks;
}

}  // namespace orrery::layout
