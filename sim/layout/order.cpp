#include "order.hpp"

#include <algorithm>
#include <array>

namespace orrery::layout {
namespace {

constexpr std::array<std::string_view, 1> kOfDegreeOne{"ep"};  // in the orders of others; no dimension here yet

Dimension named(std::string_view short_name) {
  for (const DimensionFacts& d : kDimensionList)
    if (d.short_name == short_name) return d.dimension;
  return Dimension::end;
}

}  // namespace

std::optional<std::vector<Dimension>> read_order(std::string_view order) {
  std::vector<Dimension> dimensions;
  std::vector<std::string_view> seen;
  for (std::size_t begin = 0; begin <= order.size();) {
    const std::size_t end = std::min(order.find('-', begin), order.size());
    const std::string_view name = order.substr(begin, end - begin);
    const Dimension d = named(name);
    if (std::ranges::count(seen, name) > 0) return {};
    if (d == Dimension::end && std::ranges::count(kOfDegreeOne, name) == 0) return {};
    seen.push_back(name);
    if (d != Dimension::end) dimensions.push_back(d);
    begin = end + 1;
  }
  if (dimensions.size() != kDimensions) return {};
  return dimensions;
}

std::string short_names() {
  std::string text;
  for (std::size_t i = 0; i < kDimensions; ++i)
    text += std::string(i == 0 ? "" : i + 1 < kDimensions ? ", " : " and ") + std::string(kDimensionList[i].short_name);
  return text;
}

}  // namespace orrery::layout
