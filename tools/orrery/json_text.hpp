// JSON as it is printed: names that are not UTF-8 (of files) do not end the program; Console::print does the rest.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace orrery::cli {

inline std::string json_text(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace orrery::cli
