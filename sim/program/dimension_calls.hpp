// How calls along each dimension run: the part of the list of dimensions (layout/dimension.hpp) that is of a Program.
#pragma once
#include <algorithm>
#include <array>

#include "orrery/layout/dimension.hpp"
#include "orrery/program/lower.hpp"

namespace orrery::program {

struct DimensionCalls {
  layout::Dimension dimension = layout::Dimension::end;
  Lane lane = Lane::compute;
  Category category = Category::compute;
  // What the stack says of them; nullptr = nothing: they run beside no other work of their pass, and slow none.
  bool cost::StackCommunication::*overlap = nullptr;           // beside other work, where it allows that
  std::int64_t cost::StackCommunication::*slowdown = nullptr;  // percent of their time that kernels beside them take

  bool overlap_in(const cost::StackCommunication& stack) const { return overlap != nullptr && stack.*overlap; }
  Slowdown slowdown_in(const cost::StackCommunication& stack) const {
    return slowdown != nullptr ? Slowdown{static_cast<std::int32_t>(stack.*slowdown), 100} : Slowdown{};
  }
};
inline constexpr std::array<DimensionCalls, layout::kDimensions> kDimensionCalls{{
    {layout::Dimension::tensor, Lane::tensor, Category::tensor_comm, &cost::StackCommunication::overlap_tensor,
     &cost::StackCommunication::tensor_slowdown_percent},
    {layout::Dimension::context, Lane::context, Category::context_comm, &cost::StackCommunication::overlap_context,
     &cost::StackCommunication::context_slowdown_percent},
    {layout::Dimension::expert_tensor, Lane::expert_tensor, Category::expert_comm, nullptr, nullptr},
    {layout::Dimension::expert, Lane::expert, Category::expert_comm, nullptr, nullptr},
    {layout::Dimension::data, Lane::data, Category::data_comm, &cost::StackCommunication::overlap_data,
     &cost::StackCommunication::data_slowdown_percent},
    {layout::Dimension::pipeline, Lane::pipeline_send, Category::pipeline_comm, nullptr, nullptr},
}};
static_assert(layout::complete(kDimensionCalls));
static_assert(std::ranges::all_of(kDimensionCalls, [](const DimensionCalls& of) {
  return is_transfer(of.category) && is_beside_passes(of.category) != layout::facts(of.dimension).in_pass;
}));

constexpr const DimensionCalls& calls_along(layout::Dimension d) {
  return kDimensionCalls.at(static_cast<std::size_t>(d));
}

// The dimension whose calls run on the lane.
inline layout::Dimension dimension_of(Lane lane) {
  for (const DimensionCalls& of : kDimensionCalls)
    if (of.lane == lane) return of.dimension;
  internal_error("no dimension has its calls on this lane");
}

}  // namespace orrery::program
