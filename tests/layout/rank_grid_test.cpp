// The grid of ranks against an enumeration by nested loops, in every order; the list of dimensions.
#include "orrery/layout/rank_grid.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "layout/order.hpp"

namespace orrery::layout::rank_grid_test {

namespace {

// Coordinates of all ranks, counted up like the digits of a number: the first name of the order is the last digit.
std::vector<Coordinates> enumerate(const Layout& layout, const std::vector<Dimension>& order) {
  std::vector<Coordinates> all{Coordinates{}};
  for (auto d = order.rbegin(); d != order.rend(); ++d) {
    std::vector<Coordinates> longer;
    for (Coordinates at : all)
      for (at[*d] = 0; at[*d] < layout.*facts(*d).degree; ++at[*d]) longer.push_back(at);
    all = std::move(longer);
  }
  return all;
}

// The ranks that agree with `at` in all other dimensions, sorted by their coordinates along these, the last first.
std::vector<int> by_search(const std::vector<Coordinates>& all, const Coordinates& at, std::vector<Dimension> along) {
  std::map<std::vector<int>, int> found;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    Coordinates same = all[rank];
    std::vector<int> key;
    for (auto d = along.rbegin(); d != along.rend(); ++d) key.push_back(std::exchange(same[*d], at[*d]));
    if (same == at) found[key] = static_cast<int>(rank);
  }
  std::vector<int> ranks;
  for (const auto& [key, rank] : found) ranks.push_back(rank);
  return ranks;
}

std::string joined(const std::vector<Dimension>& order) {
  std::string text;
  for (const Dimension d : order) text += (text.empty() ? "" : "-") + std::string(facts(d).short_name);
  return text;
}

}  // namespace

TEST_CASE("every order gives the ranks, and every set of dimensions the groups, that nested loops give") {
  Layout layout;
  layout.zero = Zero::parameters;
  int degree = 2;
  std::vector<Dimension> order;
  for (const DimensionFacts& d : kDimensionList) {
    if (d.folded) continue;  // tests/layout/experts_test.cpp
    layout.*d.degree = d.in_pass ? degree++ : 2;
    order.push_back(d.dimension);
  }
  layout.shard_degree = layout.gradient_ranks() / 2;
  do {
    layout.order = joined(order);
    const RankGrid grid(layout);
    const std::vector<Coordinates> all = enumerate(layout, order);
    REQUIRE(static_cast<int>(all.size()) == layout.ranks());
    bool same = true;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      const Coordinates& at = all[rank];
      same = same && grid.rank(at) == static_cast<int>(rank) && grid.coordinates(static_cast<int>(rank)) == at;
      for (unsigned set = 0; set < 1u << kDimensions; ++set) {
        std::vector<Dimension> along;
        for (std::size_t d = 0; d < kDimensions; ++d)
          if ((set >> d & 1u) != 0 && !kDimensionList[d].folded) along.push_back(static_cast<Dimension>(d));
        same = same && grid.group(at, along) == by_search(all, at, along);
      }
      const std::vector<int> whole = by_search(all, at, dimensions_that(&DimensionFacts::sums_gradients));
      const auto place = static_cast<std::size_t>(std::ranges::find(whole, static_cast<int>(rank)) - whole.begin());
      const auto shards = static_cast<std::size_t>(layout.shards());
      std::vector<int> shard, replicas;
      for (std::size_t i = 0; i < whole.size(); ++i) {
        if (i / shards == place / shards) shard.push_back(whole[i]);
        if (i % shards == place % shards) replicas.push_back(whole[i]);
      }
      same = same && grid.gradient_group(at) == whole && grid.shard_group(at) == shard &&
             grid.replica_group(at) == replicas;
    }
    CHECK_MESSAGE(same, layout.order);
  } while (std::ranges::next_permutation(order).found);
}

TEST_CASE("each dimension has a name, a short name and a degree of its own") {
  std::set<std::string_view> names;
  for (const DimensionFacts& d : kDimensionList) {
    CHECK(!d.name.empty());
    CHECK(std::ranges::all_of(d.short_name, [](char c) { return c >= 'a' && c <= 'z'; }));
    CHECK(d.short_name.size() >= 2);
    names.insert(d.name), names.insert(d.short_name);
    Layout layout;
    layout.*d.degree = 3;
    CHECK(layout.ranks() == (d.folded ? 1 : 3));
    CHECK(layout.gradient_ranks() == (d.sums_gradients ? 3 : 1));
  }
  CHECK(names.size() == 2 * kDimensions);
  CHECK(facts(Dimension::context).name == "context");
  CHECK(short_names() == "tp, cp, dp and pp");
}

TEST_CASE("an order names each dimension once; ep may stand anywhere, or nowhere: then before dp") {
  using D = Dimension;
  const std::vector<D> megatron{D::tensor, D::context, D::data, D::pipeline};
  CHECK(read_order("tp-cp-dp-pp") == megatron);
  CHECK(read_order("tp-cp-ep-dp-pp") == std::vector<D>{D::tensor, D::context, D::expert, D::data, D::pipeline});
  CHECK(read_order("ep-tp-cp-dp-pp") == std::vector<D>{D::expert, D::tensor, D::context, D::data, D::pipeline});
  const std::vector<D> experts{D::expert_tensor, D::expert, D::data, D::pipeline};
  CHECK(expert_order(megatron) == experts);
  CHECK(expert_order(*read_order("tp-cp-ep-dp-pp")) == experts);
  CHECK(expert_order(*read_order("ep-tp-cp-dp-pp")) ==
        std::vector<D>{D::expert, D::expert_tensor, D::data, D::pipeline});
  CHECK(read_order("pp-dp-cp-tp") == std::vector<D>{D::pipeline, D::data, D::context, D::tensor});
  for (const char* wrong :
       {"", "tp", "tp-cp-dp", "tp-cp-dp-pp-", "-tp-cp-dp-pp", "tp-cp-dp-dp", "tp-cp-dp-pp-tp", "ep-tp-cp-dp-pp-ep",
        "tp-cp-dp-xx", "etp-tp-cp-dp-pp", "TP-CP-DP-PP", "tp--cp-dp-pp", "tensor-cp-dp-pp"})
    CHECK_FALSE_MESSAGE(read_order(wrong).has_value(), wrong);
}

}  // namespace orrery::layout::rank_grid_test
