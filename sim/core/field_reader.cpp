// YAML → struct by its field table. Every error of the map is reported, not the first.
#include <fmt/format.h>

#include <algorithm>

#include "core/synonyms.hpp"
#include "core/yaml_path.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/core/show.hpp"

namespace orrery {

const Field* FieldTable::find(std::string_view name) const {
  for (const Field& field : fields_)
    if (field.name == name) return &field;
  return nullptr;
}

std::vector<std::string> FieldTable::names() const {
  std::vector<std::string> names;
  for (const Field& field : fields_) names.push_back(field.name);
  return names;
}

namespace {

std::string join(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string describe_integer(const Field& f) {
  const bool bounded_above = f.max < std::numeric_limits<std::int32_t>::max();
  const bool bounded_below = f.min > std::numeric_limits<std::int32_t>::min();
  if (bounded_above && bounded_below) return fmt::format("an integer from {} to {}", f.min, f.max);
  if (bounded_below) return fmt::format("an integer of at least {}", f.min);
  if (bounded_above) return fmt::format("an integer of at most {}", f.max);
  return "an integer";
}

std::string describe_number(const Field& f) {
  constexpr double kMost = std::numeric_limits<double>::max();
  const char* least = f.above_min ? "above" : "of at least";
  if (f.min_number > -kMost && f.max_number < kMost)
    return f.above_min ? fmt::format("a number above {} and at most {}", f.min_number, f.max_number)
                       : fmt::format("a number from {} to {}", f.min_number, f.max_number);
  if (f.min_number > -kMost) return fmt::format("a number {} {}", least, f.min_number);
  if (f.max_number < kMost) return fmt::format("a number of at most {}", f.max_number);
  return "a number";
}

std::string describe_one(const Field& f) {
  switch (f.type) {
    case FieldType::integer:
      return describe_integer(f);
    case FieldType::number:
      return describe_number(f);
    case FieldType::boolean:
      return "true or false";
    case FieldType::choice:
      return "one of " + join(f.allowed);
    case FieldType::text:
      return f.allowed.empty() ? "a text" : "one of " + join(f.allowed);
    case FieldType::bytes:
      return "a size such as 80 GiB";
    case FieldType::bandwidth:
      return "a bandwidth such as 900 GB/s or 400 Gb/s";
    case FieldType::time:
      return "a time such as 1.5 us";
    case FieldType::rate:
      return "a rate such as 312 TFLOP/s";
    case FieldType::flops:
      return "a number of operations such as 2 GFLOP";
    case FieldType::section:
      return f.fields->shorthand().empty()
                 ? "a map of keys"
                 : fmt::format("a map of keys, or a text for its '{}'", f.fields->shorthand());
  }
  return {};
}

// Converts one table; knows the tree and gathers the errors.
class FieldReader {
 public:
  FieldReader(const YamlTree& tree, bool partial, Diagnostics& errors)
      : tree_(tree), partial_(partial), errors_(errors) {}

  void table(const FieldTable& table, NodeId node, const std::string& path, void* object) {
    const std::size_t errors_before = errors_.size();
    const bool is_map = node == kNoNode || tree_[node].kind == NodeKind::map;
    if (!is_map) {
      shorthand(table, node, path, object);
    } else {
      if (node != kNoNode) refuse_unknown(table, node, path);
      for (const Field& f : table.fields()) field(f, child_of(table, f, node), node, child_path(path, f.name), object);
    }
    if (errors_.size() == errors_before) rules(table, node, path, object);
  }

 private:
  // --set of a key beside a text makes {type: text} of it, whatever key the text stands for.
  static bool is_text_of(const FieldTable& table, std::string_view key) {
    return key == "type" && !table.shorthand().empty() && !table.find("type");
  }
  NodeId child_of(const FieldTable& table, const Field& f, NodeId node) const {
    const NodeId child = tree_.find(node, f.name);
    return child == kNoNode && f.name == table.shorthand() && is_text_of(table, "type") ? tree_.find(node, "type")
                                                                                        : child;
  }

  void refuse(NodeId node, const std::string& path, std::string message, std::string help = {}) {
    errors_.push_back(tree_.at(node, path, std::move(message), std::move(help)));
  }

  void shorthand(const FieldTable& table, NodeId node, const std::string& path, void* object) {
    const Field* f = table.shorthand().empty() ? nullptr : table.find(table.shorthand());
    if (!f || tree_[node].kind != NodeKind::scalar) {
      const YamlNode& n = tree_[node];
      const bool glued = n.kind == NodeKind::scalar && !n.quoted && n.text.find(':') != std::string::npos;
      refuse(node, path,
             fmt::format("expected {}, got {}",
                         f ? fmt::format("a map of keys, or a text for its '{}'", f->name) : "a map of keys",
                         kind_of(node)),
             glued ? "write a blank after each ':'" : "allowed keys: " + join(table.names()));
      return;
    }
    field(*f, node, node, child_path(path, f->name), object);
    for (const Field& other : table.fields())
      if (&other != f && other.required) field(other, kNoNode, node, child_path(path, other.name), object);
  }

  void refuse_unknown(const FieldTable& table, NodeId node, const std::string& path) {
    for (const YamlEntry& e : tree_[node].entries) {
      if (table.find(e.key) || is_text_of(table, e.key)) continue;
      const std::string help = remedy_for_key(path, e.key, table.names());
      errors_.push_back(tree_.at(e.mark, static_cast<int>(e.key.size()), child_path(path, e.key),
                                 "unknown key, allowed are " + join(table.names()), help));
    }
  }

  void field(const Field& f, NodeId node, NodeId parent, const std::string& path, void* object) {
    if (node == kNoNode) {
      if (f.required && !partial_)
        refuse(parent, path, "is missing, expected " + describe(f));
      else if (f.type == FieldType::section && !f.list && !f.optional)
        table(*f.fields, kNoNode, path, f.open(object));
      return;
    }
    if (!f.list) {
      element(f, node, path, object);
      return;
    }
    if (tree_[node].kind != NodeKind::sequence) {
      refuse(
          node, path, fmt::format("expected {}, got {}", describe(f), kind_of(node)),
          tree_[node].kind == NodeKind::scalar ? "a list of one is written [" + in_short(tree_[node].text) + "]" : "");
      return;
    }
    f.reset(object);
    const std::size_t size = tree_[node].entries.size();
    for (std::size_t i = 0; i < size; ++i)
      element(f, tree_[node].entries[i].value, fmt::format("{}[{}]", path, i), object);
  }

  void element(const Field& f, NodeId node, const std::string& path, void* object) {
    if (f.type == FieldType::section) {
      table(*f.fields, node, path, f.open(object));
      return;
    }
    FieldValue value;
    std::string help;
    const std::string wrong = convert(f, node, value, help);
    if (wrong.empty())
      f.store(object, value);
    else
      refuse(node, path, wrong, help);
  }

  // What is wrong, or empty.
  std::string convert(const Field& f, NodeId node, FieldValue& value, std::string& help) const {
    const YamlNode& n = tree_[node];
    const std::string wanted = describe_one(f);
    const auto expected = [&] { return fmt::format("expected {}, got {}", wanted, kind_of(node)); };
    if (n.kind != NodeKind::scalar) return expected();
    const bool textual = f.type == FieldType::text || f.type == FieldType::choice;
    const bool quantity = f.type >= FieldType::bytes && f.type <= FieldType::flops;
    if (n.quoted && !textual && !quantity) {
      help = "remove the quotes";
      return expected();
    }
    if (f.type == FieldType::boolean) {
      value = n.text == "true";
      help = remedy_for_word(f.name, n.text, {"true", "false"});
      return n.text == "true" || n.text == "false" ? std::string() : expected();
    }
    if (textual) return convert_text(f, n, value, help, expected());
    if (f.type == FieldType::number) return convert_number(f, n.text, value, expected());
    help = remedy_for_number(f.type, n.text);
    std::int64_t integer = 0;
    const std::string wrong = quantity ? parse_quantity(f.type, n.text, integer) : parse_integer(n.text, integer);
    if (!wrong.empty()) return fmt::format("expected {}, but {} {}", wanted, kind_of(node), wrong);
    value = integer;
    if (integer >= f.min && integer <= f.max) return {};
    if (!quantity) return fmt::format("expected {}, got {}", exact_range(f), kind_of(node));
    const bool low = integer < f.min;
    return fmt::format("must be {} {}, got {}", low ? "at least" : "at most",
                       format_quantity(f.type, low ? f.min : f.max), kind_of(node));
  }

  // The bounds of the type itself (32 bits) are not worth a word in describe(), but in an error they are.
  static std::string exact_range(const Field& f) {
    std::string text = describe_one(f);
    if (f.max != std::numeric_limits<std::int32_t>::max()) return text;
    return f.min == std::numeric_limits<std::int32_t>::min() ? fmt::format("{} from {} to {}", text, f.min, f.max)
                                                             : fmt::format("{} and at most {}", text, f.max);
  }

  static std::string convert_number(const Field& f, const std::string& text, FieldValue& value, std::string expected) {
    double number = 0;
    if (!parse_number(text, number).empty()) return expected;
    value = number;
    const bool low = f.above_min ? number <= f.min_number : number < f.min_number;
    return low || number > f.max_number ? expected : std::string();
  }

  static std::string convert_text(const Field& f, const YamlNode& n, FieldValue& value, std::string& help,
                                  std::string expected) {
    const auto found = std::find(f.allowed.begin(), f.allowed.end(), n.text);
    if (f.type == FieldType::choice)
      value = static_cast<std::int64_t>(found - f.allowed.begin());
    else
      value = n.text;
    if (!f.allowed.empty() && found == f.allowed.end()) {
      help = remedy_for_word(f.name, n.text, f.allowed);
      return expected;
    }
    double number = 0;
    const bool looks_typed = n.text == "true" || n.text == "false" || parse_number(n.text, number).empty();
    if (f.allowed.empty() && !n.quoted && looks_typed) {
      help = "put it in quotes if a text is meant";
      return expected;
    }
    return {};
  }

  std::string kind_of(NodeId node) const {
    const YamlNode& n = tree_[node];
    if (n.kind == NodeKind::map) return "a map";
    if (n.kind == NodeKind::sequence) return "a list";
    const std::string text = in_short(n.text);
    return n.quoted ? fmt::format("the text \"{}\"", text) : fmt::format("'{}'", text);
  }

  void rules(const FieldTable& table, NodeId node, const std::string& path, const void* object) {
    for (const FieldRule& rule : table.rules()) {
      const std::string wrong = rule.broken(object);
      if (wrong.empty()) continue;
      const NodeId value = tree_.find(node, rule.field);
      refuse(value == kNoNode ? node : value, child_path(path, rule.field), wrong);
    }
  }

  const YamlTree& tree_;
  bool partial_;
  Diagnostics& errors_;
};

}  // namespace

std::string describe(const Field& field) {
  return field.list ? "a list, each item " + describe_one(field) : describe_one(field);
}

void read_fields(const FieldTable& table, const YamlTree& tree, NodeId node, const std::string& path, bool partial,
                 void* object, Diagnostics& errors) {
  FieldReader(tree, partial, errors).table(table, node, path, object);
}

}  // namespace orrery
