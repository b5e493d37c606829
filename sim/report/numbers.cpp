#include "orrery/report/numbers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "orrery/core/units.hpp"

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

}  // namespace

std::string time_text(std::int64_t ps) {
  static constexpr std::array units{Unit{1e12, " s"}, Unit{1e9, " ms"}, Unit{1e6, " us"}, Unit{1e3, " ns"},
                                    Unit{1, " ps"}};
  if (ps < 1000) return fmt::format("{} ps", ps);
  return in_units(static_cast<double>(ps), units, 4);
}

std::string seconds_text(double seconds) {
  return time_text(time_from_seconds(seconds).value);
}

std::string duration_text(double s) {
  if (s < 1) return seconds_text(s);
  if (s < 60) return fmt::format("{:.3g} s", s);
  if (s < 3600) return fmt::format("{:.3g} min", s / 60);
  if (s < 48 * 3600) return fmt::format("{:.3g} h", s / 3600);
  const double days = s / 86400;
  return fmt::format("{} days", days < 1000 ? fmt::format("{:.3g}", days) : count_text(days));
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

}  // namespace orrery::report
