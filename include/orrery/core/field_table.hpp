// The field table without its struct: what the parser, schema, dump and documentation work on. Declare tables with
// orrery/core/fields.hpp; use the functions at the end of this header on them.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery {

enum class FieldType : std::uint8_t {
  integer,
  number,
  boolean,
  text,
  choice,
  bytes,
  bandwidth,
  time,
  rate,
  flops,
  section
};

// Integers and quantities in their base unit; a choice as its index into `allowed`.
using FieldValue = std::variant<std::int64_t, double, bool, std::string>;

class FieldTable;

struct Field {
  std::string name;
  std::string doc;
  FieldType type = FieldType::text;
  bool list = false;
  bool optional = false;  // std::optional: absent means "not said"
  bool required = false;
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  double min_number = -std::numeric_limits<double>::max();
  double max_number = std::numeric_limits<double>::max();
  bool above_min = false;              // number: min_number itself is refused
  std::vector<std::string> allowed;    // choice; text with a closed list of names
  const FieldTable* fields = nullptr;  // section

  // Access to the member; objects are of the table's struct. A plain member counts as one element.
  std::function<void(void*)> reset;                           // list, optional: to empty
  std::function<void(void*, const FieldValue&)> store;        // assign, or append to a list
  std::function<std::size_t(const void*)> count;              // elements held
  std::function<FieldValue(const void*, std::size_t)> load;   // element i
  std::function<void*(void*)> open;                           // section: the member, or a new element of a list
  std::function<const void*(const void*, std::size_t)> view;  // section: element i
};

// A condition over several fields; returns what is wrong and what is allowed, or nothing.
struct FieldRule {
  std::string field;  // whose value the error points at
  std::function<std::string(const void*)> broken;
};

class FieldTable {
 public:
  FieldTable(std::string name, std::string doc) : name_(std::move(name)), doc_(std::move(doc)) {}
  const std::string& name() const { return name_; }
  const std::string& doc() const { return doc_; }
  const std::vector<Field>& fields() const { return fields_; }
  const Field* find(std::string_view name) const;
  const std::string& shorthand() const { return shorthand_; }  // "type": a text stands for {type: text}
  const std::vector<FieldRule>& rules() const { return rules_; }
  std::vector<std::string> names() const;
  const std::function<void(const std::function<void(const void*)>&)>& with_default() const { return with_default_; }

 protected:
  Field& last() { return fields_.back(); }
  std::string name_, doc_, shorthand_;
  std::vector<Field> fields_;
  std::vector<FieldRule> rules_;
  std::function<void(const std::function<void(const void*)>&)> with_default_;  // calls back with a default object
};

// Fills the fields named in the map `node` (kNoNode = an empty map). All that is wrong is appended to `errors`.
// partial: the object holds values of its own already (a preset), so nothing is required.
void read_fields(const FieldTable& table, const YamlTree& tree, NodeId node, const std::string& path, bool partial,
                 void* object, Diagnostics& errors);

// What of an object that was not read no text could have said: values out of range, names that are not allowed, rules
// that are broken.
Diagnostics check_fields(const FieldTable& table, const void* object, const std::string& path);

std::string json_schema(const FieldTable& table, const std::string& id);  // draft-07, ends with a newline
std::string dump_yaml(const FieldTable& table, const void* object);       // every field with its value
std::string dump_json(const FieldTable& table, const void* object);       // one object, indented
std::string markdown(const FieldTable& table);  // reference page of the table and its sections

// "an integer from 1 to 64", "a bandwidth such as 900 GB/s", …
std::string describe(const Field& field);

// Exact: no floating point between the text and the value. Empty when fine, else what is wrong.
std::string parse_quantity(FieldType type, std::string_view text, std::int64_t& value);
// The shortest text that parse_quantity() reads back as the same value.
std::string format_quantity(FieldType type, std::int64_t value);
std::string parse_integer(std::string_view text, std::int64_t& value);
std::string parse_number(std::string_view text, double& value);

}  // namespace orrery
