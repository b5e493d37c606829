// Values that were not read from a text are held to the same table.
#include <fmt/format.h>

#include <algorithm>

#include "core/yaml_path.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/core/show.hpp"

namespace orrery {
namespace {

// What the value is, if it is not what the field takes.
std::string refused(const Field& f, const FieldValue& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    const bool low = f.above_min ? !(*number > f.min_number) : !(*number >= f.min_number);
    return low || *number > f.max_number ? fmt::format("{}", *number) : std::string();
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    if (f.type == FieldType::choice || (*integer >= f.min && *integer <= f.max)) return {};
    return f.type == FieldType::integer ? fmt::format("{}", *integer) : format_quantity(f.type, *integer);
  }
  const auto* text = std::get_if<std::string>(&value);
  const bool known =
      !text || f.allowed.empty() || std::find(f.allowed.begin(), f.allowed.end(), *text) != f.allowed.end();
  return known ? std::string() : "'" + in_short(*text) + "'";
}

// Whether there is nothing to say, without the texts to say it with.
bool holds(const FieldTable& table, const void* object) {
  for (const Field& f : table.fields())
    for (std::size_t i = 0; i < f.count(object); ++i)
      if (f.type == FieldType::section ? !holds(*f.fields, f.view(object, i)) : !refused(f, f.load(object, i)).empty())
        return false;
  return std::ranges::all_of(table.rules(), [&](const FieldRule& rule) { return rule.broken(object).empty(); });
}

}  // namespace

Diagnostics check_fields(const FieldTable& table, const void* object, const std::string& path) {
  Diagnostics errors;
  if (holds(table, object)) return errors;
  const auto refuse = [&](const std::string& key, std::string message) {
    errors.emplace_back();
    errors.back().path = child_path(path, key);
    errors.back().message = std::move(message);
  };
  for (const Field& f : table.fields())
    for (std::size_t i = 0; i < f.count(object); ++i) {
      const std::string key = f.list ? fmt::format("{}[{}]", f.name, i) : f.name;
      if (f.type == FieldType::section) {
        for (Diagnostic& e : check_fields(*f.fields, f.view(object, i), child_path(path, key)))
          errors.push_back(std::move(e));
      } else if (const std::string got = refused(f, f.load(object, i)); !got.empty()) {
        refuse(key, "expected " + describe(f) + ", got " + got);
      }
    }
  if (!errors.empty()) return errors;
  for (const FieldRule& rule : table.rules())
    if (const std::string wrong = rule.broken(object); !wrong.empty()) refuse(rule.field, wrong);
  return errors;
}

}  // namespace orrery
