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
  bool ExecutionPlan::*overlap = nullptr;       // beside other work, where it allows that
  Slowdown ExecutionPlan::*slowdown = nullptr;  // of the kernels beside them

  bool overlap_in(const ExecutionPlan& e) const { return overlap != nullptr && e.*overlap; }
  Slowdown slowdown_in(const ExecutionPlan& e) const { return slowdown != nullptr ? e.*slowdown : Slowdown{}; }
};
inline constexpr std::array<DimensionCalls, layout::kDimensions> kDimensionCalls{{
    {layout::Dimension::tensor, Lane::tensor, Category::tensor_comm, &ExecutionPlan::overlap_tensor,
     &ExecutionPlan::tensor_slowdown},
    {layout::Dimension::context, Lane::context, Category::context_comm, &ExecutionPlan::overlap_context,
     &ExecutionPlan::context_slowdown},
    {layout::Dimension::data, Lane::data, Category::data_comm, &ExecutionPlan::overlap_data,
     &ExecutionPlan::data_slowdown},
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
