#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/layout/dimension.hpp"

namespace orrery::layout {

// The dimensions of an order such as "tp-cp-dp-pp", first varying fastest; nothing where one is missing, twice, or
// unknown. Those that there are none of here (ep) may be named and change nothing.
std::optional<std::vector<Dimension>> read_order(std::string_view order);

// Their short names in the order of the list: "tp, cp, dp and pp".
std::string short_names();

}  // namespace orrery::layout
