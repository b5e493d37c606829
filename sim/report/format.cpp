#include "format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace orrery::report {
namespace {

// "GiB," after "1.00": a figure stays with its unit.
bool is_unit(std::string_view word) {
  constexpr std::array<std::string_view, 14> units{"%",   "s",   "ms",  "us", "ns", "ps", "B",
                                                   "KiB", "MiB", "GiB", "K",  "M",  "T",  "GPUs"};
  return std::find(units.begin(), units.end(), word.substr(0, word.find_last_not_of(".,:;)") + 1)) != units.end();
}

std::string escape(std::string_view code, std::string_view text) {
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

}  // namespace

int columns(std::string_view text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

std::vector<std::string> wrap(std::string_view text, int width) {
  std::vector<std::string> lines{""};
  while (!text.empty()) {
    std::size_t end = std::min(text.find(' '), text.size());
    const std::size_t next = std::min(text.find(' ', end + 1), text.size());
    if (end < next && is_unit(text.substr(end + 1, next - end - 1))) end = next;
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!lines.back().empty() && columns(lines.back()) + 1 + columns(word) > width) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + std::string(word);
  }
  return lines;
}

std::string Paint::operator()(Tone tone, std::string_view text) const {
  static constexpr std::array<std::string_view, 5> codes{"0", "1", "1;32", "1;31", "90"};
  return on && tone != Tone::plain ? escape(codes[static_cast<std::size_t>(tone)], text) : std::string(text);
}

// Work in cool colours, communication in warm ones, waiting in grey.
std::string Paint::operator()(program::Category category, std::string_view text) const {
  static constexpr std::array<std::string_view, program::kCategories> codes{"32", "36", "34", "33", "93", "91",
                                                                            "35", "31", "95", "94", "37", "90"};
  return on ? escape(codes[static_cast<std::size_t>(category)], text) : std::string(text);
}

}  // namespace orrery::report
