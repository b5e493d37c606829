#include "sweep/values.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "scenario/parts.hpp"

namespace orrery::sweep {
namespace {

constexpr std::size_t kMostOfRange = 1'000'000;

std::string trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\t')) text.remove_suffix(1);
  return std::string(text);
}

Diagnostic value_error(const Key& key, std::string message, std::string help) {
  Diagnostic d;
  d.place.file = kSaidIn;
  d.path = key.path;
  d.message = std::move(message);
  d.help = std::move(help);
  return d;
}

struct Range {
  std::int64_t first = 0, last = 0, step = 1;
  bool times = false;
};

Result<Range> range_of(const Key& key, const std::string& item) {
  const std::string help = "a range is FIRST..LAST, FIRST..LAST+STEP or FIRST..LAST*FACTOR, such as 1..8 or 8..64*2";
  if (key.field().type != FieldType::integer)
    return value_error(key, fmt::format("'{}': only integers have ranges, expected {}", item, describe(key.field())),
                       "list the values, apart by commas");
  Range range;
  const std::size_t dots = item.find("..");
  const std::size_t step = item.find_first_of("+*", dots);
  range.times = step != std::string::npos && item[step] == '*';
  const auto read = [](const std::string& text, std::int64_t& into) { return parse_integer(text, into).empty(); };
  if (!read(trimmed(item.substr(0, dots)), range.first) ||
      !read(trimmed(item.substr(dots + 2, step == std::string::npos ? step : step - dots - 2)), range.last) ||
      (step != std::string::npos && !read(trimmed(item.substr(step + 1)), range.step)))
    return value_error(key, fmt::format("'{}' is no range of integers", item), help);
  if (range.last < range.first)
    return value_error(key, fmt::format("'{}' goes backward and holds nothing", item),
                       fmt::format("say {}..{}", range.last, range.first));
  if (range.step < (range.times ? 2 : 1) || (range.times && range.first < 1))
    return value_error(key, fmt::format("'{}' does not end", item), help);
  return range;
}

}  // namespace

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && (text[i] == '[' || text[i] == '{')) ++depth;
    if (i < text.size() && (text[i] == ']' || text[i] == '}')) --depth;
    if (i < text.size() && (text[i] != at || depth > 0)) continue;
    parts.push_back(trimmed(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  return parts;
}

std::vector<std::string> every_value(const Key& key) {
  const Field& f = key.field();
  if (key.path == "schedule.type") {
    std::vector<std::string> names;
    for (const schedule::ScheduleKind& kind : schedule::schedule_kinds())
      if (const std::string name = kind.name; !name.starts_with("zb_1p") && !name.starts_with("zb_2p"))
        names.push_back(name);  // those are zb_auto with a cap
    return names;
  }
  if (key.path == "model.type") return model::list_models();
  if (key.path == "stack.type") return cost::stack_names();
  if (key.path == "cluster.type") return hardware::cluster_names();
  if (key.path == "cluster.gpu") return hardware::gpu_names();
  if (f.type == FieldType::boolean) return {"false", "true"};
  return f.allowed;
}

Result<std::vector<std::string>> expand(const Key& key, const std::string& item) {
  std::vector<std::string> values;
  if (item.empty()) return value_error(key, "has an empty value", "such as " + key.path + "=1,2,4");
  if (item == "all") {
    values = every_value(key);
    if (values.empty())
      return value_error(key, fmt::format("'all' has no end: expected {}", describe(key.field())),
                         "list the values, or give a range such as 1..8");
    return values;
  }
  if (item.find("..") == std::string::npos || key.field().type == FieldType::text) return std::vector{item};
  const Result<Range> range = range_of(key, item);
  if (!range.ok()) return range.errors();
  for (std::int64_t value = range->first; value <= range->last;
       value = range->times ? checked_mul(value, range->step) : checked_add(value, range->step)) {
    values.push_back(std::to_string(value));
    if (values.size() > kMostOfRange)
      return value_error(key, fmt::format("'{}' has more than {} values", item, kMostOfRange), "give it a step");
  }
  return values;
}

Result<FieldValue> value_of(const Key& key, const std::string& text) {
  std::int64_t whole = 0;  // of a long range
  if (const Field& f = key.field(); f.type == FieldType::integer && key.direct() &&
                                    parse_integer(text, whole).empty() && whole >= f.min && whole <= f.max)
    return FieldValue(whole);
  Result<YamlTree> tree = read_yaml_text("{}", std::string(kSaidIn));
  check(tree.ok(), "an empty map does not read");
  Diagnostics errors = tree->set(key.path + "=" + text);
  scenario::Scenario scratch;
  if (errors.empty()) {
    const std::string section = key.path.substr(0, key.path.find('.'));
    read_fields(table_of(key.section), *tree, tree->find(tree->root(), section), section, true,
                object_of(key.section, scratch), errors);
  }
  // Of the section nothing else is said, and nothing else is asked.
  std::erase_if(errors,
                [&](const Diagnostic& e) { return !key.path.starts_with(e.path) && !e.path.starts_with(key.path); });
  for (Diagnostic& e : errors) e.place.file = kSaidIn;
  if (!errors.empty()) return errors;
  return load(key, scratch).value();
}

Diagnostics check_value(const Key& key, const std::string& text, const YamlTree& scenario, Catalogue& catalogue) {
  if (key.direct()) {
    const Result<FieldValue> value = value_of(key, text);
    return value.ok() ? Diagnostics() : value.errors();
  }
  YamlTree tree = scenario;
  if (Diagnostics errors = tree.set(key.path + "=" + text); !errors.empty()) return errors;
  const Result<scenario::Scenario> read = scenario::read_parts(tree, catalogue);
  return read.ok() ? Diagnostics() : read.errors();
}

}  // namespace orrery::sweep
