#include "cells.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <sstream>

#include "orrery/core/yaml.hpp"

namespace orrery::validation {
namespace {
constexpr double kSmallest = 1e-15, kLargest = 1e15;
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t to = text.find(separator); to != std::string::npos; to = text.find(separator, from)) {
    parts.push_back(text.substr(from, to - from));
    from = to + separator.size();
  }
  parts.push_back(text.substr(from));
  return parts;
}

std::string Cells::text(const char* column) const {
  const int at = table_.column(column);
  return at < 0 ? std::string() : table_.rows[row_][static_cast<std::size_t>(at)].text;
}

void Cells::refuse(const char* column, const std::string& message, const std::string& help) const {
  const int at = table_.column(column);
  check(at >= 0, "an error is about a column that is there");
  errors_.push_back(table_.at(row_, static_cast<std::size_t>(at), message, help));
}

void Cells::refuse_row(const char* column, const std::string& message) const {
  const std::string text = fmt::format("{}: {}", column, message);
  if (why_.find(text) == std::string::npos) why_ += (why_.empty() ? "" : "; ") + text;
}

std::int64_t Cells::integer(const char* column, std::int64_t low, std::int64_t high,
                            std::optional<std::int64_t> blank) const {
  const std::string cell = text(column);
  if (cell.empty() && blank) return *blank;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  const bool octal = cell.size() > 1 && cell.front() == '0';
  if (error == std::errc() && end == cell.data() + cell.size() && value >= low && value <= high && !octal) return value;
  if (has(column)) refuse(column, fmt::format("'{}' is not a whole number from {} to {}", cell, low, high));
  return blank.value_or(low);
}

std::optional<double> Cells::number(const char* column) const {
  const std::string cell = text(column);
  if (cell.empty()) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || end != cell.data() + cell.size() || !std::isfinite(value))
    refuse(column, fmt::format("'{}' is not a number", cell));
  else if (value == 0 || (std::abs(value) >= kSmallest && std::abs(value) <= kLargest))
    return value;
  else
    refuse(column, fmt::format("'{}' is no measurement, allowed: 0, or from {:g} to {:g}", cell, kSmallest, kLargest));
  return {};
}

std::optional<double> Cells::positive(const char* column) const {
  const std::optional<double> value = number(column);
  if (value && *value <= 0) refuse(column, fmt::format("'{}' is not above 0", text(column)));
  return value;
}

bool Cells::flag(const char* column) const {
  return integer(column, 0, 1, 0) == 1;
}

void require_columns(const CsvTable& table, std::initializer_list<const char*> columns, Diagnostics& errors) {
  for (const char* column : columns) {
    if (table.column(column) >= 0) continue;
    Diagnostic d;
    d.place = {table.name, table.header.front().line, 1};
    d.message = fmt::format("the column '{}' is missing", column);
    errors.push_back(std::move(d));
  }
}

void refuse_misspelt(const CsvTable& table, const char* columns, Diagnostics& errors) {
  std::istringstream words(columns);
  const std::vector<std::string> known(std::istream_iterator<std::string>(words), {});
  for (const CsvCell& title : table.header) {
    if (std::find(known.begin(), known.end(), title.text) != known.end()) continue;
    const std::string nearest = did_you_mean(title.text, known);
    if (nearest.empty()) continue;
    Diagnostic d;
    d.place = {table.name, title.line, title.column};
    d.message = fmt::format("unknown column '{}'", title.text);
    d.help = nearest;
    errors.push_back(std::move(d));
  }
}

}  // namespace orrery::validation
