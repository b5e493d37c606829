// How calls along each dimension run: the table, and what the process groups and teams of a run take from it.
#include "program/dimension_calls.hpp"

#include <doctest/doctest.h>

#include <set>

#include "by_hand.hpp"
#include "program/ranks.hpp"

namespace orrery::program::dimension_calls_test {

using layout::Dimension;
using program::test::ByHand;

TEST_CASE("each dimension has a lane of its own, and a category, but for the two of experts") {
  std::set<Lane> lanes;
  std::set<Category> categories;
  for (const DimensionCalls& of : kDimensionCalls) {
    CHECK(&calls_along(of.dimension) == &of);
    CHECK(of.lane != Lane::compute);
    CHECK(is_transfer(of.category));
    CHECK(dimension_of(of.lane) == of.dimension);
    lanes.insert(of.lane), categories.insert(of.category);
    if (of.overlap == nullptr) CHECK(of.slowdown == nullptr);
    if (of.overlap == nullptr) CHECK_FALSE(of.overlap_in(cost::StackCommunication{}));
  }
  CHECK(lanes.size() == layout::kDimensions);
  CHECK(categories.size() == layout::kDimensions - 1);  // ranks that share an expert, and that have others, are of one
}

TEST_CASE("no knob of the stack is that of two dimensions") {
  for (const DimensionCalls& of : kDimensionCalls) {
    if (of.overlap == nullptr) continue;
    cost::StackCommunication stack;
    for (const DimensionCalls& other : kDimensionCalls)
      if (other.overlap != nullptr) stack.*other.overlap = false;
    stack.*of.overlap = true;
    stack.*of.slowdown = 150;
    for (const DimensionCalls& other : kDimensionCalls) {
      if (other.overlap == nullptr) continue;
      CHECK(other.overlap_in(stack) == (other.dimension == of.dimension));
      CHECK(other.slowdown_in(stack).numerator == (other.dimension == of.dimension ? 150 : 100));
    }
  }
}

TEST_CASE("the process groups along the dimensions of passes run on the lane of theirs; others have none") {
  const ByHand step("1f1b", 2, 2, 1, 4);
  const Ranks ranks(step.input(), step.stages());
  for (const layout::DimensionFacts& d : layout::kDimensionList) {
    const ProcessGroups& among = ranks.along[d.dimension];
    CHECK(among.in_pass == d.in_pass);
    CHECK(among.groups.empty() == !d.in_pass);
    if (!d.in_pass) continue;
    CHECK(among.lane == calls_along(d.dimension).lane);
    CHECK(among.category == calls_along(d.dimension).category);
    for (std::int32_t r = 0; r < ranks.count; ++r) {
      const auto i = static_cast<std::size_t>(r);
      CHECK(among.groups[static_cast<std::size_t>(ranks.along_of[d.dimension][i])] ==
            ranks.grid.group(ranks.at[i], d.dimension));
    }
  }
}

}  // namespace orrery::program::dimension_calls_test
