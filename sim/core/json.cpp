#include "core/json.hpp"

#include <fmt/format.h>

#include <cmath>

#include "orrery/core/error.hpp"
#include "orrery/core/show.hpp"

namespace orrery {

namespace {

void check_finite(const nlohmann::ordered_json& value, const std::string& path) {
  if (value.is_number_float() && !std::isfinite(value.get<double>()))
    internal_error(fmt::format("a result is not a finite number: {}", path.empty() ? "the whole document" : path));
  if (value.is_object())
    for (const auto& [key, item] : value.items())
      check_finite(item, path.empty() ? key : fmt::format("{}.{}", path, key));
  if (value.is_array())
    for (std::size_t i = 0; i < value.size(); ++i) check_finite(value[i], fmt::format("{}[{}]", path, i));
}

}  // namespace

std::string dump(const nlohmann::ordered_json& value, int indent) {
  check_finite(value, "");
  // What is left to write as \u007f are characters that a terminal would obey.
  return safe_to_show(value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace orrery
