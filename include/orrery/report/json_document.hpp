// What `orrery run --json` writes, field by field: one table, from which its JSON Schema and its text are made.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace orrery::report {

struct JsonField {
  // "devices[].breakdown_ps.*": a member of each item of a list; * stands for any name, of which the meaning tells.
  std::string_view path;
  std::string_view type;     // string, integer, number, boolean, array, object
  std::string_view unit;     // s, ps, B, FLOP …; empty: none
  std::string_view meaning;  // says whether it is a sum or a mean, and over what
};
const std::vector<JsonField>& json_fields();

std::string run_json_schema();    // draft-07
std::string run_json_document();  // a line a field

}  // namespace orrery::report
