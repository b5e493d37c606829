// What a field table says about itself and its values: JSON Schema, resolved dumps, the reference page.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "orrery/core/field_table.hpp"

namespace orrery {

namespace {

using Json = nlohmann::ordered_json;

std::string pattern_of(FieldType type) {
  // The number of read_decimal(), then the unit; the reader is stricter (whole base units, 64 bits).
  const std::string number = R"(^(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? *)";
  switch (type) {
    case FieldType::bytes:
      return number + "([KMGTP]i?)?B$";
    case FieldType::bandwidth:
      return number + "(([KMGTP]?B|[KMGT]iB|[KMGT]?b)/s)$";
    case FieldType::time:
      return number + "([pnum]?s|min|h|d)$";
    case FieldType::rate:
      return number + "[KMGTPE]?FLOP/s$";
    default:
      return number + "[KMGTPE]?FLOP$";
  }
}

Json schema_of(const FieldTable& table);

void add_bounds(Json& schema, const Field& f) {
  if (f.type == FieldType::integer) {
    if (f.min > std::numeric_limits<std::int64_t>::min()) schema["minimum"] = f.min;
    if (f.max < std::numeric_limits<std::int64_t>::max()) schema["maximum"] = f.max;
  } else if (f.type == FieldType::number) {
    if (f.min_number > -std::numeric_limits<double>::max())
      schema[f.above_min ? "exclusiveMinimum" : "minimum"] = f.min_number;
    if (f.max_number < std::numeric_limits<double>::max()) schema["maximum"] = f.max_number;
  }
}

Json element_schema(const Field& f) {
  switch (f.type) {
    case FieldType::integer:
    case FieldType::number: {
      Json schema{{"type", f.type == FieldType::integer ? "integer" : "number"}};
      add_bounds(schema, f);
      return schema;
    }
    case FieldType::boolean:
      return {{"type", "boolean"}};
    case FieldType::choice:
    case FieldType::text: {
      Json schema{{"type", "string"}};
      if (!f.allowed.empty()) schema["enum"] = f.allowed;
      return schema;
    }
    case FieldType::section:
      return schema_of(*f.fields);
    default:
      return {{"type", "string"}, {"pattern", pattern_of(f.type)}};
  }
}

Json value_of(const Field& f, const FieldValue& value) {
  if (f.type == FieldType::choice) return f.allowed[static_cast<std::size_t>(std::get<std::int64_t>(value))];
  if (f.type >= FieldType::bytes && f.type <= FieldType::flops)
    return format_quantity(f.type, std::get<std::int64_t>(value));
  return std::visit([](const auto& v) { return Json(v); }, value);
}

Json object_of(const FieldTable& table, const void* object);

Json element_of(const Field& f, const void* object, std::size_t i) {
  return f.type == FieldType::section ? object_of(*f.fields, f.view(object, i)) : value_of(f, f.load(object, i));
}

// The value of a field; null = an optional that is not set.
Json field_of(const Field& f, const void* object) {
  if (!f.list) return f.count(object) == 0 ? Json(nullptr) : element_of(f, object, 0);
  Json list = Json::array();
  for (std::size_t i = 0; i < f.count(object); ++i) list.push_back(element_of(f, object, i));
  return list;
}

Json object_of(const FieldTable& table, const void* object) {
  Json out = Json::object();
  for (const Field& f : table.fields())
    if (Json value = field_of(f, object); !value.is_null()) out[f.name] = std::move(value);
  return out;
}

Json schema_of(const FieldTable& table) {
  Json properties = Json::object(), required = Json::array();
  table.with_default()([&](const void* object) {
    for (const Field& f : table.fields()) {
      Json schema = f.list ? Json{{"type", "array"}, {"items", element_schema(f)}} : element_schema(f);
      schema["description"] = f.doc;
      const bool has_default = !f.required && f.type != FieldType::section && (f.list || f.count(object) > 0);
      if (has_default) schema["default"] = field_of(f, object);
      if (f.required) required.push_back(f.name);
      properties[f.name] = std::move(schema);
    }
  });
  Json map{
      {"type", "object"}, {"description", table.doc()}, {"additionalProperties", false}, {"properties", properties}};
  if (!required.empty()) map["required"] = required;
  if (table.shorthand().empty()) return map;
  const Field* f = table.find(table.shorthand());
  check(f != nullptr, "the shorthand of a field table names none of its fields");
  Json text = element_schema(*f);
  text["description"] = f->doc;
  return {{"description", table.doc()}, {"anyOf", Json::array({map, text})}};
}

// Text that a YAML reader takes back as the same value.
std::string yaml_scalar(const Json& value) {
  if (!value.is_string()) return dump(value, -1);
  const std::string text = value.get<std::string>();
  double number = 0;
  const bool plain = !text.empty() &&
                     text.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                         "_-./ ") == std::string::npos &&
                     text.front() != ' ' && text.front() != '-' && text.back() != ' ' && text != "true" &&
                     text != "false" && text != "null" && text != "Null" && text != "NULL" && text.front() != '.' &&
                     !parse_number(text, number).empty();
  return plain ? text : dump(value, -1);
}

void write_yaml(const Json& value, int indent, std::string& out) {
  const std::string pad(static_cast<std::size_t>(indent), ' ');
  for (const auto& [key, item] : value.items()) {
    out += pad + key + ":";
    if (item.is_object() && !item.empty()) {
      out += "\n";
      write_yaml(item, indent + 2, out);
    } else if (item.is_array() && !item.empty() && item.front().is_object()) {
      out += "\n";
      for (const Json& element : item) {
        std::string block;
        write_yaml(element, indent + 4, block);
        out += pad + "  - " + (block.empty() ? "{}\n" : block.substr(static_cast<std::size_t>(indent) + 4));
      }
    } else if (item.is_array()) {
      out += " [";
      for (std::size_t i = 0; i < item.size(); ++i) out += (i ? ", " : "") + yaml_scalar(item[i]);
      out += "]\n";
    } else {
      out += " " + (item.is_object() ? std::string("{}") : yaml_scalar(item)) + "\n";
    }
  }
}

void write_markdown(const FieldTable& table, const std::string& path, int level, std::string& out) {
  out += fmt::format("{} {}\n\n{}\n\n", std::string(static_cast<std::size_t>(level), '#'),
                     path.empty() ? table.name() : path, table.doc());
  if (!table.shorthand().empty()) out += fmt::format("A text is shorthand for `{{{}: text}}`.\n\n", table.shorthand());
  out += "| key | value | default | meaning |\n|---|---|---|---|\n";
  table.with_default()([&](const void* object) {
    for (const Field& f : table.fields()) {
      const Json value = f.required || f.type == FieldType::section ? Json(nullptr) : field_of(f, object);
      const std::string shown = f.required          ? "required"
                                : value.is_null()   ? "—"
                                : value.is_string() ? "`" + value.get<std::string>() + "`"
                                                    : "`" + dump(value, -1) + "`";
      out += fmt::format("| `{}` | {} | {} | {} |\n", f.name, describe(f), shown == "``" ? "empty" : shown, f.doc);
    }
  });
  out += "\n";
  for (const Field& f : table.fields())
    if (f.type == FieldType::section)
      write_markdown(*f.fields, (path.empty() ? "" : path + ".") + f.name, level + 1, out);
}

}  // namespace

std::string json_schema(const FieldTable& table, const std::string& id) {
  Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"$id", id}, {"title", table.name()}};
  schema.update(schema_of(table));
  return dump(schema, 2) + "\n";
}

std::string dump_yaml(const FieldTable& table, const void* object) {
  std::string out;
  write_yaml(object_of(table, object), 0, out);
  return out;
}

std::string dump_json(const FieldTable& table, const void* object) {
  return dump(object_of(table, object), 2) + "\n";
}

std::string markdown(const FieldTable& table) {
  std::string out;
  write_markdown(table, "", 2, out);
  return out;
}

}  // namespace orrery
