// Comma-separated tables (RFC 4180): a header, then rows of as many fields. Quotes may hold commas, quotes ("") and
// line breaks. Lines that start with '#' before the header are comments (sources of the figures).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/error.hpp"

namespace orrery {

struct CsvCell {
  std::string text;
  int line = 0;
  int column = 0;
};

struct CsvTable {
  std::string name;
  std::vector<CsvCell> header;
  std::vector<std::vector<CsvCell>> rows;

  // The index of a column by its name; -1 if there is none.
  int column(std::string_view title) const;
  // A diagnostic that points at a cell; its path is the title of the column.
  Diagnostic at(std::size_t row, std::size_t column, std::string message, std::string help = {}) const;
};

Result<CsvTable> read_csv_file(const std::string& path);
Result<CsvTable> read_csv_text(std::string_view text, const std::string& name);
// The text as one field, in quotes where it needs them.
std::string csv_field(std::string_view text);

}  // namespace orrery
