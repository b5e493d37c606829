#include <fmt/format.h>

#include <algorithm>

#include "orrery/validation/validate.hpp"

namespace orrery::validation {
namespace {

constexpr std::size_t kName = 18, kLeast = 12;

class Table {
 public:
  explicit Table(const std::vector<Row>& rows) : rows_(rows) {
    for (const Row& row : rows) widths_.push_back(std::max(kLeast, row.id.size()) + 2);
  }
  template <class Cell>
  void line(std::string_view name, const Cell& cell) {
    std::string text = fmt::format("{:<{}}", name, kName);
    bool any = name.front() != ' ';  // a part that no row has is left out
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::string value = cell(rows_[i]);
      any = any || !value.empty();
      text += fmt::format("{:>{}}", value.empty() ? "-" : value, widths_[i]);
    }
    if (any) text_ += text + "\n";
  }
  void gap() { text_ += "\n"; }
  std::string text() { return std::move(text_); }

 private:
  const std::vector<Row>& rows_;
  std::vector<std::size_t> widths_;
  std::string text_;
};

std::string figure(const Value& value) {
  const auto* number = std::get_if<double>(&value);
  return number == nullptr ? std::string() : fmt::format("{:.4g}", *number);
}

std::string error_of(const Figure& f) {
  const auto *measured = std::get_if<double>(&f.reference), *predicted = std::get_if<double>(&f.predicted);
  if (measured == nullptr || predicted == nullptr || *measured <= 0) return {};
  return fmt::format("{:+.1f} %", 100 * (*predicted / *measured - 1));
}

// The parts of every row, each named once, in the order of the first row that has it.
void parts(Table& table, const std::vector<Row>& rows, std::vector<std::pair<std::string_view, double>> Row::*of) {
  std::vector<std::string_view> names;
  for (const Row& row : rows)
    for (const auto& [name, value] : row.*of)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  for (const std::string_view name : names)
    table.line(fmt::format("  {}", name), [&](const Row& row) {
      for (const auto& [part, value] : row.*of)
        if (part == name) return fmt::format("{:.4g}", value);
      return std::string();
    });
}

}  // namespace

std::string side_by_side(const Report& report) {
  if (report.rows.empty()) return {};
  Table table(report.rows);
  table.line("row", [](const Row& row) { return row.id; });
  for (const auto& group : report.rows.front().groups)
    table.line(group.first, [&](const Row& row) {
      for (const auto& [by, name] : row.groups)
        if (by == group.first) return name;
      return std::string();
    });
  table.gap();
  for (std::size_t f = 0; f < report.rows.front().figures.size(); ++f) {
    const std::string name = report.rows.front().figures[f].name;
    table.line(name, [&](const Row& row) { return figure(row.figures[f].reference); });
    table.line("  predicted", [&](const Row& row) { return figure(row.figures[f].predicted); });
    table.line("  error", [&](const Row& row) { return error_of(row.figures[f]); });
    parts(table, report.rows, f == 0 ? &Row::split_s : &Row::memory_gib);
  }
  std::string text = table.text();
  for (const Row& row : report.rows)
    if (!row.why.empty()) text += fmt::format("refused {}: {}\n", row.id, row.why);
  return text;
}

}  // namespace orrery::validation
