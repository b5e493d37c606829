#pragma once
#include <optional>
#include <string_view>
#include <vector>

namespace orrery::layout {

// The dimensions of an order such as "tp-cp-dp-pp", first varying fastest; nothing where one is missing, twice, or
// unknown.
std::optional<std::vector<std::string_view>> split_order(std::string_view order);

}  // namespace orrery::layout
