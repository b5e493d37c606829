#include "order.hpp"

#include <algorithm>

namespace orrery::layout {
namespace {

Dimension named(std::string_view short_name) {
  for (const DimensionFacts& d : kDimensionList)
    if (d.short_name == short_name) return d.dimension;
  return Dimension::end;
}

}  // namespace

std::optional<std::vector<Dimension>> read_order(std::string_view order) {
  std::vector<Dimension> dimensions;
  for (std::size_t begin = 0; begin <= order.size();) {
    const std::size_t end = std::min(order.find('-', begin), order.size());
    const std::string_view name = order.substr(begin, end - begin);
    const Dimension d = named(name);
    if (d == Dimension::end || d == Dimension::expert_tensor || std::ranges::count(dimensions, d) > 0) return {};
    dimensions.push_back(d);
    begin = end + 1;
  }
  for (const DimensionFacts& d : kDimensionList)
    if (!d.folded && std::ranges::count(dimensions, d.dimension) == 0) return {};
  return dimensions;
}

std::vector<Dimension> expert_order(const std::vector<Dimension>& order) {
  const bool said = std::ranges::count(order, Dimension::expert) > 0;
  std::vector<Dimension> experts;
  for (const Dimension d : order) {
    if (d == Dimension::context) continue;
    if (d == Dimension::data && !said) experts.push_back(Dimension::expert);
    experts.push_back(d);
    if (d == Dimension::tensor) experts.back() = Dimension::expert_tensor;
  }
  return experts;
}

int expert_degree(const Layout& layout, Dimension d) {
  if (d == Dimension::data) return layout.expert_data();
  return layout.*facts(d).degree;
}

std::string short_names() {
  std::vector<std::string_view> names;
  for (const DimensionFacts& d : kDimensionList)
    if (!d.folded) names.push_back(d.short_name);
  std::string text(names.front());
  for (std::size_t i = 1; i < names.size(); ++i)
    text += (i + 1 < names.size() ? ", " : " and ") + std::string(names[i]);
  return text;
}

}  // namespace orrery::layout
