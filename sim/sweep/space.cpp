#include "orrery/sweep/space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "scenario/parts.hpp"
#include "sweep/values.hpp"

namespace orrery::sweep {
namespace {

constexpr std::size_t kMostScenarios = 256;

// A dimension as it is said: its items are not yet values.
struct Said {
  Key key;
  std::vector<std::string> items;
};

Diagnostic space_error(std::string_view path, std::string message, std::string help) {
  Diagnostic d;
  d.place.file = kSaidIn;
  d.path = path;
  d.message = std::move(message);
  d.help = std::move(help);
  return d;
}

// Where auto is a value of the key's own, it is that.
bool asks_auto(const Said& said) {
  const auto has_auto = [](const std::vector<std::string>& words) {
    return std::find(words.begin(), words.end(), "auto") != words.end();
  };
  return has_auto(said.items) && !has_auto(said.key.field().allowed);
}

Result<Said> said_of(std::string_view name, std::vector<std::string> items) {
  Result<Key> key = find_key(name, kSaidIn);
  if (!key.ok()) return key.errors();
  return Said{std::move(key).value(), std::move(items)};
}

Result<std::vector<Said>> read_words(std::string_view text) {
  std::vector<Said> all;
  Diagnostics errors;
  for (const std::string& part : split(text, ';')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) {
      errors.push_back(
          space_error(part, "has no values", "KEY=VALUES apart by ';', such as 'tensor=1,2,4; pipeline=auto'"));
      continue;
    }
    Result<Said> said = said_of(split(part.substr(0, equals), ';').front(), split(part.substr(equals + 1), ','));
    if (said.ok())
      all.push_back(std::move(said).value());
    else
      errors.insert(errors.end(), said.errors().begin(), said.errors().end());
  }
  if (!errors.empty()) return errors;
  return all;
}

// The section `sweep`: values as a text of the same grammar, or a list.
Result<std::vector<std::string>> items_of(const YamlTree& tree, NodeId node, const std::string& path) {
  if (tree[node].kind == NodeKind::scalar) return split(tree[node].text, ',');
  std::vector<std::string> items;
  for (const YamlEntry& e : tree[node].entries) {
    if (tree[node].kind != NodeKind::sequence || tree[e.value].kind != NodeKind::scalar)
      return tree.at(node, path, "expected values: a text such as 1..8, or a list such as [1, 2, 4]");
    items.push_back(tree[e.value].text);
  }
  if (items.empty()) return tree.at(node, path, "has no values", "such as [1, 2, 4]");
  return items;
}

Result<std::vector<Said>> read_section(const YamlTree& tree, NodeId node, std::vector<std::string>& where) {
  if (tree[node].kind != NodeKind::map)
    return tree.at(node, "sweep", "expected a map of keys and their values, such as {tensor: [1, 2, 4]}");
  std::vector<Said> all;
  Diagnostics errors;
  const auto take = [&](const Diagnostics& wrong) { errors.insert(errors.end(), wrong.begin(), wrong.end()); };
  for (const YamlEntry& e : tree[node].entries) {
    const std::string path = "sweep." + e.key;
    Result<std::vector<std::string>> items = items_of(tree, e.value, path);
    if (!items.ok()) {
      take(items.errors());
    } else if (e.key == "where") {
      where = tree[e.value].kind == NodeKind::scalar ? std::vector{tree[e.value].text} : *items;
    } else if (Result<Said> said = said_of(e.key, std::move(items).value()); said.ok()) {
      all.push_back(std::move(said).value());
    } else {
      for (const Diagnostic& d : said.errors())
        errors.push_back(tree.at(e.mark, static_cast<int>(e.key.size()), path, d.message, d.help));
    }
  }
  if (!errors.empty()) return errors;
  return all;
}

Diagnostics check_doubled(const std::vector<Said>& all) {
  Diagnostics errors;
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (all[i].key.path == all[j].key.path)
        errors.push_back(space_error(all[i].key.path, "is a dimension twice", "give all its values in one list"));
  return errors;
}

// Makes values of what is said.
class Expansion {
 public:
  Expansion(const YamlTree& tree, Catalogue& catalogue) : tree_(tree), catalogue_(catalogue) {}
  Result<Space> run(const std::vector<Said>& all);

 private:
  void add(Dimension& dimension, const std::string& value) {
    if (seen_.emplace(dimension.key, value).second) dimension.values.push_back(value);
  }
  void fill(const Said& said, Dimension& dimension);
  void fill_auto(const Said& said, Dimension& dimension);
  void read_scenarios(const std::vector<Said>& all);
  std::vector<scenario::Scenario> variants(std::string_view key) const;

  const YamlTree& tree_;
  Catalogue& catalogue_;
  Space space_;
  std::set<std::pair<std::string, std::string>> seen_;
  std::vector<Key> keys_;
  std::vector<scenario::Scenario> scenarios_;  // of every value of the keys that are no direct ones
  Diagnostics errors_;
};

void Expansion::fill(const Said& said, Dimension& dimension) {
  for (const std::string& item : said.items) {
    if (item == "auto" && asks_auto(said)) continue;
    const Result<std::vector<std::string>> values = expand(said.key, item);
    if (!values.ok()) {
      errors_.insert(errors_.end(), values.errors().begin(), values.errors().end());
      continue;
    }
    // The ends of a range decide for all of it.
    for (const std::string& value : {values->front(), values->back()})
      if (errors_.empty()) errors_ = check_value(said.key, value, tree_, catalogue_);
    for (const std::string& value : *values) add(dimension, value);
  }
}

void Expansion::read_scenarios(const std::vector<Said>& all) {
  std::vector<YamlTree> trees{tree_};
  for (std::size_t d = 0; d < all.size(); ++d) {
    if (all[d].key.direct()) continue;
    std::vector<YamlTree> more;
    for (const YamlTree& tree : trees)
      for (const std::string& value : space_.dimensions[d].values) {
        if (more.size() == kMostScenarios) break;
        more.push_back(tree);
        check(more.back().set(all[d].key.path + "=" + value).empty(), "a value that was checked cannot be set");
      }
    trees = std::move(more);
  }
  for (const YamlTree& tree : trees)
    if (Result<scenario::Scenario> read = scenario::read_parts(tree, catalogue_); read.ok())
      scenarios_.push_back(std::move(read).value());
}

// The scenarios, each with every value of the dimension on which the key depends.
std::vector<scenario::Scenario> Expansion::variants(std::string_view key) const {
  const std::string_view other = depends_on(key);
  for (std::size_t d = 0; d < keys_.size(); ++d) {
    if (keys_[d].path != other || other.empty()) continue;
    std::vector<scenario::Scenario> varied;
    for (const scenario::Scenario& s : scenarios_)
      for (const std::string& value : space_.dimensions[d].values) {
        varied.push_back(s);
        if (const Result<FieldValue> v = value_of(keys_[d], value); v.ok()) store(keys_[d], *v, varied.back());
      }
    return varied;
  }
  return scenarios_;
}

void Expansion::fill_auto(const Said& said, Dimension& dimension) {
  std::set<std::int64_t> values;
  for (const scenario::Scenario& s : variants(said.key.path))
    for (const std::int64_t value : dividing(said.key.path, s)) values.insert(value);
  for (const std::int64_t value : values) add(dimension, std::to_string(value));
  if (!values.empty()) return;
  const std::vector<std::string> every = every_value(said.key);
  for (const std::string& value : every) add(dimension, value);
  if (every.empty())
    errors_.push_back(space_error(said.key.path, fmt::format("'auto' says nothing of {}", describe(said.key.field())),
                                  "list the values, or give a range such as 1..8"));
}

Result<Space> Expansion::run(const std::vector<Said>& all) {
  if (errors_ = check_doubled(all); !errors_.empty()) return errors_;
  for (const Said& said : all) {
    keys_.push_back(said.key);
    fill(said, space_.dimensions.emplace_back(Dimension{said.key.path, {}}));
  }
  if (!errors_.empty()) return errors_;
  if (std::any_of(all.begin(), all.end(), asks_auto)) read_scenarios(all);
  for (std::size_t d = 0; d < all.size(); ++d)
    if (asks_auto(all[d])) fill_auto(all[d], space_.dimensions[d]);
  if (!errors_.empty()) return errors_;
  return std::move(space_);
}

}  // namespace

double Space::points() const {
  double product = 1;
  for (const Dimension& d : dimensions) product *= static_cast<double>(d.values.size());
  return product;
}

Result<Space> read_space(std::string_view text, const YamlTree& scenario, Catalogue& catalogue) {
  const Result<std::vector<Said>> all = read_words(text);
  if (!all.ok()) return all.errors();
  if (all->empty()) return default_space(scenario, catalogue);
  return Expansion(scenario, catalogue).run(*all);
}

Result<Space> read_space(const YamlTree& scenario, Catalogue& catalogue) {
  const NodeId node = scenario.find(scenario.root(), "sweep");
  if (node == kNoNode) return Space{};
  std::vector<std::string> where;
  const Result<std::vector<Said>> all = read_section(scenario, node, where);
  if (!all.ok()) return all.errors();
  Result<Space> space = Expansion(scenario, catalogue).run(*all);
  if (!space.ok()) {
    Diagnostics errors = space.errors();
    for (Diagnostic& e : errors) {
      e.place = {};
      e.path = "sweep." + e.path.substr(e.path.rfind('.') + 1);
    }
    scenario.locate(errors);
    return errors;
  }
  space->where = std::move(where);
  return space;
}

Result<Space> default_space(const YamlTree& scenario, Catalogue& catalogue) {
  return read_space("tensor=auto; context=auto; pipeline=auto; virtual=auto; sequence_parallel=auto; micro_batch=auto",
                    scenario, catalogue);
}

}  // namespace orrery::sweep
