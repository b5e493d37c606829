#include "cells.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace orrery::validation {

std::string Cells::text(const char* column) const {
  const int at = table_.column(column);
  return at < 0 ? std::string() : table_.rows[row_][static_cast<std::size_t>(at)].text;
}

void Cells::refuse(const char* column, const std::string& message, const std::string& help) const {
  const int at = table_.column(column);
  check(at >= 0, "an error is about a column that is there");
  errors_.push_back(table_.at(row_, static_cast<std::size_t>(at), message, help));
}

std::int64_t Cells::integer(const char* column, std::int64_t low, std::int64_t high,
                            std::optional<std::int64_t> blank) const {
  const std::string cell = text(column);
  if (cell.empty() && blank) return *blank;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error == std::errc() && end == cell.data() + cell.size() && value >= low && value <= high) return value;
  if (has(column)) refuse(column, fmt::format("'{}' is not a whole number from {} to {}", cell, low, high));
  return blank.value_or(low);
}

std::optional<double> Cells::number(const char* column) const {
  const std::string cell = text(column);
  if (cell.empty()) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error == std::errc() && end == cell.data() + cell.size() && std::isfinite(value)) return value;
  refuse(column, fmt::format("'{}' is not a number", cell));
  return {};
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

}  // namespace orrery::validation
