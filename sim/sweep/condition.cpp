#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "orrery/core/comparison.hpp"
#include "orrery/sweep/figures.hpp"
#include "sweep/keys.hpp"

namespace orrery::sweep {
namespace {

struct Known {
  const char* name;
  FieldType type;
  double (*get)(const Figures&);
};
const std::vector<Known>& known_figures() {
  static const std::vector<Known> figures{
      {"memory", FieldType::bytes, [](const Figures& f) { return static_cast<double>(f.memory_bytes); }},
      {"peak_memory", FieldType::bytes, [](const Figures& f) { return static_cast<double>(f.peak_memory_bytes); }},
      {"step_time", FieldType::time, [](const Figures& f) { return static_cast<double>(f.step_time_ps); }},
      {"mfu", FieldType::number, [](const Figures& f) { return f.mfu; }},
      {"hfu", FieldType::number, [](const Figures& f) { return f.hfu; }},
      {"bubble", FieldType::number, [](const Figures& f) { return f.bubble_fraction; }},
      {"tokens_per_s_per_gpu", FieldType::number, [](const Figures& f) { return f.tokens_per_s_per_gpu; }},
      {"gpus", FieldType::number, [](const Figures& f) { return static_cast<double>(f.gpus); }},
      {"cost_usd", FieldType::number, [](const Figures& f) { return f.cost_usd; }},
      {"goodput", FieldType::number, [](const Figures& f) { return f.goodput; }},
  };
  return figures;
}

constexpr const char* kHelp =
    "FIGURE OPERATOR VALUE, such as 'memory <= 76 GiB'; figures: memory, peak_memory, step_time, mfu, hfu, bubble, "
    "tokens_per_s_per_gpu, gpus, cost_usd (of a step), goodput, and the keys of the scenario; operators: <= < >= > == "
    "!=";

Diagnostic condition_error(const std::string& said_in, const std::string& text, const std::string& message,
                           const std::string& help = kHelp) {
  Diagnostic d;
  d.place.file = said_in;
  d.message = fmt::format("'{}': {}", text, message);
  d.help = help;
  return d;
}

std::string read_bound(FieldType type, const std::string& text, double& bound) {
  if (type == FieldType::number) return parse_number(text, bound);
  std::int64_t whole = 0;
  const std::string bad = type == FieldType::integer ? parse_integer(text, whole) : parse_quantity(type, text, whole);
  bound = static_cast<double>(whole);
  return bad;
}

bool is_word(FieldType type) {
  return type == FieldType::text || type == FieldType::choice || type == FieldType::boolean;
}

std::string word_of(const Key& key, const FieldValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  return key.field().allowed[static_cast<std::size_t>(std::get<std::int64_t>(value))];
}

double number_of(const FieldValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return static_cast<double>(std::get<std::int64_t>(value));
}

}  // namespace

Result<Condition> Condition::parse(const std::string& text, const std::string& said_in) {
  const std::optional<Comparison> parts = split_comparison(text);
  if (!parts) return condition_error(said_in, text, "there is no comparison");
  Condition c;
  c.text_ = text;
  c.op_ = parts->op;
  const auto& figures = known_figures();
  const auto named =
      std::find_if(figures.begin(), figures.end(), [&](const Known& k) { return k.name == parts->left; });
  if (named != figures.end()) {
    c.figure_ = static_cast<int>(named - figures.begin());
    c.of_input_ = parts->left == "gpus";
    if (const std::string bad = read_bound(named->type, parts->right, c.bound_); !bad.empty())
      return condition_error(said_in, text, bad);
    return c;
  }
  const Result<Key> key = find_key(parts->left, said_in);
  if (!key.ok()) {
    const Diagnostic& why = key.errors().front();
    return condition_error(said_in, text, fmt::format("'{}' is no figure, and {}", parts->left, why.message),
                           why.help.starts_with("did") || why.help.starts_with("say") ? why.help : kHelp);
  }
  c.key_ = std::make_shared<const Key>(*key);
  c.of_input_ = true;
  const Field& f = key->field();
  if (!is_word(f.type)) {
    if (const std::string bad = read_bound(f.type, parts->right, c.bound_); !bad.empty())
      return condition_error(said_in, text, bad);
    return c;
  }
  if (c.op_ != "==" && c.op_ != "!=")
    return condition_error(said_in, text, fmt::format("{} is {}, which has no order", key->path, describe(f)),
                           "use == or !=");
  c.word_ = parts->right;
  if (!f.allowed.empty() && std::find(f.allowed.begin(), f.allowed.end(), c.word_) == f.allowed.end())
    return condition_error(said_in, text,
                           fmt::format("'{}' is not a value of {}: {}", c.word_, key->path, describe(f)));
  return c;
}

bool Condition::holds(const scenario::Scenario& s) const {
  if (!key_) return compare(static_cast<double>(s.layout.ranks()), op_, bound_);
  const std::optional<FieldValue> value = load(*key_, s);
  if (!value) return op_ == "!=";  // not said: it is none of them
  if (is_word(key_->field().type)) return (word_of(*key_, *value) == word_) == (op_ == "==");
  return compare(number_of(*value), op_, bound_);
}

bool Condition::holds(const Figures& figures) const {
  return compare(known_figures()[static_cast<std::size_t>(figure_)].get(figures), op_, bound_);
}

}  // namespace orrery::sweep
