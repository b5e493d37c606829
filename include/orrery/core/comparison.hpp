// "LEFT OPERATOR RIGHT", as conditions on the command line are written.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace orrery {

struct Comparison {
  std::string left, op, right;  // without the blanks around them
};

// At the first of >= <= == != > <; nothing where there is none.
std::optional<Comparison> split_comparison(std::string_view text);
bool compare(double left, std::string_view op, double right);

}  // namespace orrery
