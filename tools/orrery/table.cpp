#include "table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/planning/amounts.hpp"

namespace orrery::cli {
namespace {

// Code points: every symbol we print is one column wide.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> width;
  for (const Column& column : columns_) width.push_back(width_of(column.title));
  for (const auto& row : rows_)
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], width_of(row[c]));
  std::string text;
  const auto line = [&](const auto& cell_of) {
    std::string line_text;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::string cell = cell_of(c), pad(width[c] - width_of(cell), ' ');
      line_text += (c ? "  " : "") + (columns_[c].right ? pad + cell : cell + pad);
    }
    line_text.erase(line_text.find_last_not_of(' ') + 1);
    text += line_text + "\n";
  };
  line([&](std::size_t c) { return columns_[c].title; });
  for (const auto& row : rows_) line([&](std::size_t c) { return c < row.size() ? row[c] : std::string(); });
  return text;
}

std::string bandwidth_text(double bytes_per_second) {
  return bytes_per_second >= 1e12 ? fmt::format("{:.4g} TB/s", bytes_per_second / 1e12)
                                  : fmt::format("{:.4g} GB/s", bytes_per_second / 1e9);
}

std::string tera_text(double per_second) {
  return fmt::format("{:.4g}", per_second / 1e12);
}

}  // namespace orrery::cli
