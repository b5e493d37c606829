#include "format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace orrery::report {
namespace {

struct Unit {
  double size;
  const char* name;
};

// `digits` significant digits, but all digits before the point.
std::string significant(double value, int digits) {
  int before = 1;
  for (double v = value; v >= 10; v /= 10) ++before;
  return fmt::format("{:.{}f}", value, std::max(0, digits - before));
}

// The first unit the value reaches, else the last.
std::string in_units(double value, std::span<const Unit> units, int digits) {
  const auto unit = std::find_if(units.begin(), units.end() - 1, [&](const Unit& u) { return value >= u.size; });
  return fmt::format("{}{}", significant(value / unit->size, digits), unit->name);
}

constexpr double kGiB = 1073741824.0;

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

std::string time_text(std::int64_t ps) {
  static constexpr std::array units{Unit{1e12, " s"}, Unit{1e9, " ms"}, Unit{1e6, " us"}, Unit{1e3, " ns"},
                                    Unit{1, " ps"}};
  if (ps < 1000) return fmt::format("{} ps", ps);
  return in_units(static_cast<double>(ps), units, 4);
}

std::string bytes_text(std::int64_t bytes) {
  static constexpr std::array units{Unit{kGiB, " GiB"}, Unit{kGiB / 1024, " MiB"}, Unit{1024, " KiB"}, Unit{1, " B"}};
  if (bytes < 0) return "-" + bytes_text(-bytes);
  return bytes < 1024 ? fmt::format("{} B", bytes) : in_units(static_cast<double>(bytes), units, 3);
}

std::string integer_text(std::int64_t value) {
  std::string text = fmt::format("{}", value);
  for (std::size_t i = text.size(); i > 3 && text[i - 4] != '-';) text.insert(i -= 3, ",");
  return text;
}

std::string count_text(double count) {
  static constexpr std::array units{Unit{1e12, " T"}, Unit{1e9, " B"}, Unit{1e6, " M"}};
  if (count >= 1e7) return in_units(count, units, 3);
  return count < 1000 ? significant(count, 4) : integer_text(static_cast<std::int64_t>(count + 0.5));
}

std::string parameters_text(std::int64_t n) {
  static constexpr std::array units{Unit{1e12, " T"}, Unit{1e9, " B"}, Unit{1e6, " M"}, Unit{1e3, " K"}, Unit{1, ""}};
  return n < 1000 ? fmt::format("{}", n) : in_units(static_cast<double>(n), units, 3);
}

std::string percent_text(double fraction) {
  if (fraction > 0 && fraction < 0.0005) return "< 0.1 %";
  return fmt::format("{:.1f} %", fraction * 100);
}

std::string rank_list(std::span<const std::int32_t> ranks) {
  constexpr int kMostRuns = 4;
  std::string text;
  int runs = 0;
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t end = i + 1;
    while (end < ranks.size() && ranks[end] == ranks[end - 1] + 1) ++end;
    if (++runs > kMostRuns) return fmt::format("{}, … ({} ranks)", text, ranks.size());
    if (!text.empty()) text += ", ";
    text += end - i == 1 ? fmt::format("{}", ranks[i]) : fmt::format("{}-{}", ranks[i], ranks[end - 1]);
    i = end;
  }
  return text;
}

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
  static constexpr std::array<std::string_view, program::kCategories> codes{"32", "36", "34", "33", "93",
                                                                            "91", "35", "31", "37", "90"};
  return on ? escape(codes[static_cast<std::size_t>(category)], text) : std::string(text);
}

}  // namespace orrery::report
