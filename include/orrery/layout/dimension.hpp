// The dimensions along which a run is split, in one list. Whatever has a part for each of them (coordinates, process
// groups, teams, rows of a report) is indexed by Dimension and loops over the list, so that none is forgotten and none
// is taken for another. How calls along a dimension run says program/dimension_calls.hpp, a table by the same enum.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "orrery/layout/layout.hpp"

namespace orrery::layout {

// In this order: where several of them make up one group, the first varies fastest. `end` is none, and their number.
enum class Dimension : std::uint8_t { tensor, context, expert_tensor, expert, data, pipeline, end };
inline constexpr auto kDimensions = static_cast<std::size_t>(Dimension::end);

struct DimensionFacts {
  Dimension dimension = Dimension::end;
  std::string_view name;          // its degree is layout.NAME
  std::string_view short_name;    // in layout.order, and in capitals in the title of a run
  int Layout::*degree = nullptr;  // ranks along it
  bool in_pass = false;           // its ranks work on the same micro-batches and layers: a team (program/pipeline.hpp)
  bool sums_gradients = false;    // its ranks hold the same parameters and sum the gradients of them
  bool folded = false;            // of routed experts: the ranks of a stage grouped anew, no factor of their number
};
inline constexpr std::array<DimensionFacts, kDimensions> kDimensionList{{
    {Dimension::tensor, "tensor", "tp", &Layout::tensor, true, false},
    {Dimension::context, "context", "cp", &Layout::context, true, true},
    {Dimension::expert_tensor, "expert_tensor", "etp", &Layout::expert_tensor, true, false, true},
    {Dimension::expert, "expert", "ep", &Layout::expert, true, false, true},
    {Dimension::data, "data", "dp", &Layout::data, false, true},
    {Dimension::pipeline, "pipeline", "pp", &Layout::pipeline, false, false},
}};

// Whether a table holds one row for each dimension, in their order.
template <class Table>
constexpr bool complete(const Table& table) {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i].dimension != static_cast<Dimension>(i)) return false;
  return table.size() == kDimensions;
}
static_assert(complete(kDimensionList));

constexpr const DimensionFacts& facts(Dimension d) {
  return kDimensionList.at(static_cast<std::size_t>(d));
}
// Those that are so, in the order of the list: dimensions_that(&DimensionFacts::in_pass).
std::vector<Dimension> dimensions_that(bool DimensionFacts::*are);

// One value for each dimension.
template <class T>
struct PerDimension {
  std::array<T, kDimensions> values{};

  T& operator[](Dimension d) { return values.at(static_cast<std::size_t>(d)); }
  const T& operator[](Dimension d) const { return values.at(static_cast<std::size_t>(d)); }
  friend auto operator<=>(const PerDimension&, const PerDimension&) = default;
};
template <class T>
constexpr PerDimension<T> for_each_dimension(const T& value) {
  PerDimension<T> all;
  all.values.fill(value);
  return all;
}

}  // namespace orrery::layout
