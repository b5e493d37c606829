#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "orrery/core/comparison.hpp"
#include "orrery/validation/validate.hpp"

namespace orrery::validation {
namespace {

constexpr const char* kGrammar =
    "[GROUP:][FIGURE.]STATISTIC OPERATOR NUMBER, STATISTIC one of rows, mape, median_abs_error, p90_abs_error, bias, "
    "concordance, schedule_concordance, refused, unequal; OPERATOR one of > >= < <=";

Diagnostic wrong(const std::string& text, const std::string& message) {
  Diagnostic d;
  d.path = "--fail-on";
  d.message = fmt::format("'{}': {}", text, message);
  d.help = kGrammar;
  return d;
}

std::optional<double> statistic(const Statistics& s, const std::string& name) {
  if (name == "rows") return static_cast<double>(s.rows);
  if (s.rows == 0) return {};
  if (name == "mape") return s.mape;
  if (name == "median_abs_error") return s.median_abs_error;
  if (name == "p90_abs_error") return s.p90_abs_error;
  if (name == "bias") return s.bias;
  return name == "concordance" ? s.concordance : s.schedule_concordance;
}

bool is_of(const Row& row, const std::string& group) {
  return group.empty() || group == "all" ||
         std::any_of(row.groups.begin(), row.groups.end(), [&](const auto& each) { return each.second == group; });
}

// Rows refused or unequal: counted, not measured.
Result<bool> compare_count(const Condition& c, const Report& report) {
  std::int64_t of_group = 0, count = 0;
  for (const Row& row : report.rows) {
    if (!is_of(row, c.group)) continue;
    ++of_group;
    if (c.statistic == "refused" ? !row.why.empty() : row.equal && !*row.equal) ++count;
  }
  if (of_group == 0 && !c.group.empty()) return wrong(c.text, fmt::format("there is no group '{}'", c.group));
  return compare(static_cast<double>(count), c.comparison, c.bound);
}

}  // namespace

Result<Condition> parse_condition(const std::string& text) {
  Condition c;
  c.text = text;
  const std::optional<Comparison> parts = split_comparison(text);
  if (!parts || parts->op == "==" || parts->op == "!=") return wrong(text, "there is no comparison");
  c.comparison = parts->op;
  const std::string& bound = parts->right;
  const auto [end, error] = std::from_chars(bound.data(), bound.data() + bound.size(), c.bound);
  if (error != std::errc() || end != bound.data() + bound.size())
    return wrong(text, fmt::format("'{}' is not a number", bound));
  if (!std::isfinite(c.bound))
    return wrong(text, fmt::format("no figure can be held against '{}', a number such as 0.15 is needed", bound));
  std::string left = parts->left;
  if (const std::size_t colon = left.find(':'); colon != std::string::npos) {
    c.group = left.substr(0, colon);
    left.erase(0, colon + 1);
  }
  if (const std::size_t dot = left.find('.'); dot != std::string::npos) {
    c.figure = left.substr(0, dot);
    left.erase(0, dot + 1);
  }
  c.statistic = left;
  for (const char* known : {"rows", "mape", "median_abs_error", "p90_abs_error", "bias", "concordance",
                            "schedule_concordance", "refused", "unequal"})
    if (c.statistic == known) return c;
  return wrong(text, fmt::format("'{}' is no statistic", c.statistic));
}

Result<bool> holds(const Condition& c, const Report& report) {
  if (c.statistic == "refused" || c.statistic == "unequal") return compare_count(c, report);
  for (const Group& group : report.groups) {
    if (group.name != (c.group.empty() ? "all" : c.group)) continue;
    for (const Group::OfFigure& figure : group.figures) {
      if (!c.figure.empty() && c.figure != figure.name) continue;
      const std::optional<double> value = statistic(figure.all, c.statistic);
      if (!value) return wrong(c.text, "nothing was measured there");
      return compare(*value, c.comparison, c.bound);
    }
    return wrong(c.text, c.figure.empty() ? "this file has no measured figure"
                                          : fmt::format("there is no figure '{}'", c.figure));
  }
  return wrong(c.text, fmt::format("there is no group '{}'", c.group));
}

}  // namespace orrery::validation
