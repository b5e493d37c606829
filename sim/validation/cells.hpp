// Typed cells of one row. A cell that cannot be read (a number that is none) is an error of the file, with its place; a
// word that is not known here refuses its row alone. Either way the row goes on with the default.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "orrery/core/csv.hpp"

namespace orrery::validation {

class Cells {
 public:
  Cells(const CsvTable& table, std::size_t row, Diagnostics& errors) : table_(table), row_(row), errors_(errors) {}

  bool has(const char* column) const { return table_.column(column) >= 0; }
  // Empty where there is no such column.
  std::string text(const char* column) const;
  // Must be there and hold a whole number in [low, high]; blank = `blank` where one is given.
  std::int64_t integer(const char* column, std::int64_t low, std::int64_t high,
                       std::optional<std::int64_t> blank = {}) const;
  // Blank or no column = nothing. Else 0, or of a size that no unit of measurement exceeds: errors relative to it are
  // finite, and so are their sums.
  std::optional<double> number(const char* column) const;
  std::optional<double> positive(const char* column) const;  // the same, above 0
  bool flag(const char* column) const;                       // 0 or 1; blank = 0
  void refuse(const char* column, const std::string& message, const std::string& help = {}) const;

  // The row cannot be played: a word that is not known, or something that is not simulated.
  void refuse_row(const char* column, const std::string& message) const;
  // The value that a word stands for; where it stands for none the row is refused, with all that are known.
  template <class T>
  T word(const char* column, std::initializer_list<std::pair<const char*, T>> words) const {
    return word(column, text(column), words);
  }
  // The same of a part of the cell.
  template <class T>
  T word(const char* column, const std::string& cell, std::initializer_list<std::pair<const char*, T>> words) const {
    std::string allowed;
    for (const auto& [name, value] : words) {
      if (cell == name) return value;
      if (*name != '\0') allowed += (allowed.empty() ? "" : ", ") + std::string(name);
    }
    refuse_row(column, "'" + cell + "' is not known, allowed: " + allowed);
    return words.begin()->second;
  }
  // Why the row is refused, each reason once; empty = it is not.
  const std::string& why() const { return why_; }

 private:
  const CsvTable& table_;
  std::size_t row_;
  Diagnostics& errors_;
  mutable std::string why_;
};

// What stands between separators; a part may be empty.
std::vector<std::string> split(const std::string& text, const std::string& separator);

// Every column that a kind of file cannot do without.
void require_columns(const CsvTable& table, std::initializer_list<const char*> columns, Diagnostics& errors);
// Columns beside the known ones are nobody's business, but one that is nearly known is a slip that would go unnoticed.
void refuse_misspelt(const CsvTable& table, const char* columns, Diagnostics& errors);  // separated by spaces

}  // namespace orrery::validation
