// JSON out of the program. nlohmann writes NaN and infinity as null without a word; here they are an internal error
// that names the key.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace orrery {

// indent -1 = one line. No newline at the end.
std::string dump(const nlohmann::ordered_json& value, int indent);

}  // namespace orrery
