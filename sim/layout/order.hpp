#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/layout/dimension.hpp"

namespace orrery::layout {

// The dimensions of an order such as "tp-cp-dp-pp", first varying fastest; nothing where one is missing, twice, or
// unknown. That of the experts (ep) may be named.
std::optional<std::vector<Dimension>> read_order(std::string_view order);

// The grid of the routed experts over the same ranks: expert_tensor where tensor stands, expert before data where the
// order does not say, data for the ranks that are left and hold the same experts; and how many ranks there are along
// each.
std::vector<Dimension> expert_order(const std::vector<Dimension>& order);
int expert_degree(const Layout& layout, Dimension d);

// Their short names in the order of the list: "tp, cp, dp and pp".
std::string short_names();

}  // namespace orrery::layout
