// The keys of a scenario, as the schema lists them.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "orrery/scenario/run.hpp"

namespace orrery::testing {

struct SchemaKey {
  std::string path;  // of the first item, where a section is a list
  nlohmann::json schema;
};

// The form of a section, or of the items of a list, that lists its keys; null where there is none.
inline nlohmann::json map_of(const nlohmann::json& schema) {
  if (schema.contains("properties")) return schema;
  for (const nlohmann::json& form : schema.value("anyOf", nlohmann::json::array()))
    if (const nlohmann::json found = map_of(form); !found.is_null()) return found;
  return nullptr;
}

inline void list_keys(const nlohmann::json& schema, const std::string& path, std::vector<SchemaKey>& keys) {
  const bool is_list = schema.contains("items") && !map_of(schema["items"]).is_null();
  const nlohmann::json section = is_list ? map_of(schema["items"]) : map_of(schema);
  if (section.is_null()) {
    keys.push_back({path, schema});
    return;
  }
  const std::string prefix = path.empty() ? path : path + (is_list ? ".0." : ".");
  for (const auto& [key, inner] : section["properties"].items()) list_keys(inner, prefix + key, keys);
}

// Keys that hold a value, sections left out.
inline std::vector<SchemaKey> schema_keys() {
  std::vector<SchemaKey> keys;
  list_keys(nlohmann::json::parse(scenario::json_schema()), "", keys);
  return keys;
}

}  // namespace orrery::testing
