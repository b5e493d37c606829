#include "orrery/planning/amounts.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "orrery/core/field_table.hpp"
#include "orrery/core/show.hpp"
#include "orrery/report/numbers.hpp"

namespace orrery::planning {
namespace {

struct Split {
  double number = 0;
  std::string unit;  // without blanks around it
  bool ok = false;
};

// "3 700PFs-day" is no number: digits, one point, an exponent, then whatever is left.
Split split_number(std::string_view text) {
  Split split;
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), split.number);
  if (error != std::errc() || !std::isfinite(split.number) || split.number < 0) return split;
  split.ok = true;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  while (!unit.empty() && unit.back() == ' ') unit.remove_suffix(1);
  split.unit = unit;
  return split;
}

struct Power {
  const char* name;
  double factor;
};
// More than there is of anything to count: what is beyond is a slip of the unit.
constexpr double kMostCount = 1e18, kMostFlops = 1e35;

constexpr std::array<Power, 5> kPowers{{{"", 1}, {"K", 1e3}, {"M", 1e6}, {"B", 1e9}, {"T", 1e12}}};

const Power* power_of(const std::string& unit) {
  for (const Power& power : kPowers)
    if (unit == power.name) return &power;
  return nullptr;
}

}  // namespace

Diagnostic wrong_option(std::string option, std::string message, std::string help) {
  Diagnostic wrong;
  wrong.path = std::move(option);
  wrong.message = std::move(message);
  wrong.help = std::move(help);
  return wrong;
}

Seconds run_time(std::int64_t count, Time step) {
  const Int128 picoseconds = static_cast<Int128>(count) * step.value;
  return {checked_narrow((picoseconds + kPicosecondsPerSecond - 1) / kPicosecondsPerSecond)};
}

Seconds whole_seconds(double seconds) {
  if (!(seconds >= 0) || seconds > 9e18) throw_overflow("time of a plan");
  return {static_cast<std::int64_t>(std::ceil(seconds))};
}

Result<double> read_count(std::string_view text, const CountFormat& format) {
  const std::string like = fmt::format("such as {} {}", format.option, format.example);
  const Split split = split_number(text);
  if (!split.ok)
    return wrong_option(format.option, fmt::format("'{}' is no count", in_short(text)),
                        "write a number with K, M, B or T, " + like);
  const Power* power = power_of(split.unit);
  if (power == nullptr) {
    std::string upper = split.unit;
    for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return wrong_option(
        format.option,
        fmt::format("'{}' has the unknown unit '{}', allowed are K, M, B, T", in_short(text), in_short(split.unit)),
        power_of(upper) != nullptr ? fmt::format("write {:g}{}", split.number, upper) : "write it " + like);
  }
  const double count = split.number * power->factor;
  if (count < format.least)
    return wrong_option(format.option, fmt::format("{} is less than {}", text, count_text(format.least)),
                        split.unit.empty() && split.number > 0
                            ? fmt::format("did you mean {:g}B or {:g}T?", split.number, split.number)
                            : "write it " + like);
  if (count > kMostCount)
    return wrong_option(format.option, fmt::format("{} is more than {:g}", text, kMostCount), "write it " + like);
  return count;
}

Result<double> read_tokens(std::string_view text, double bytes_per_token) {
  const Split split = split_number(text);
  if (split.ok && split.unit.ends_with("B") && split.unit.size() > 1) {
    std::int64_t bytes = 0;
    if (const std::string what = parse_quantity(FieldType::bytes, text, bytes); !what.empty())
      return wrong_option("--tokens", fmt::format("'{}' {}", text, what), "a corpus is written such as --tokens 3TB");
    return static_cast<double>(bytes) / bytes_per_token;
  }
  return read_count(text, {"--tokens", "15T", 1e6});
}

Result<Seconds> read_deadline(std::string_view text) {
  struct Unit {
    const char *name, *plural;
    double seconds;
  };
  constexpr std::array<Unit, 9> units{{{"h", "h", 3600},
                                       {"hour", "hours", 3600},
                                       {"d", "d", 86'400},
                                       {"day", "days", 86'400},
                                       {"w", "w", 604'800},
                                       {"week", "weeks", 604'800},
                                       {"month", "months", 30 * 86'400},
                                       {"y", "y", 365 * 86'400},
                                       {"year", "years", 365 * 86'400}}};
  const Split split = split_number(text);
  for (const Unit& unit : units)
    if (split.ok && split.number > 0 && split.number < 1e9 && (split.unit == unit.name || split.unit == unit.plural))
      return whole_seconds(split.number * unit.seconds);
  return wrong_option("--deadline", fmt::format("'{}' is no length of time", text),
                      "write hours, days, weeks, months of 30 days or years, such as --deadline 30d");
}

Result<Budget> read_budget(std::string_view text) {
  const auto refuse = [&] {
    return wrong_option("--budget", fmt::format("'{}' is neither compute nor money", text),
                        "write --budget 3700PFs-day, --budget 5.76e23 (FLOPs) or --budget '$2M'");
  };
  const bool before = text.starts_with("$"), behind = text.ends_with("$");
  if (before || behind) {
    const std::string_view amount = text.substr(before ? 1 : 0, text.size() - 1);
    const Split split = split_number(amount);
    const Power* power = split.ok ? power_of(split.unit) : nullptr;
    if (power == nullptr || split.number <= 0) return refuse();
    return Budget{0, split.number * power->factor};
  }
  const auto too_many = [&] {
    return wrong_option("--budget", fmt::format("'{}' is more than {:g} FLOPs", text, kMostFlops),
                        "write --budget 3700PFs-day or --budget 5.76e23");
  };
  const Split split = split_number(text);
  if (!split.ok || split.number <= 0) return refuse();
  for (const char* name : {"PFs-day", "PFs-days", "PF-day", "PF-days", "petaFLOP/s-day", "petaFLOP/s-days"})
    if (split.unit == name)
      return split.number * kPetaflopDay > kMostFlops ? Result<Budget>(too_many())
                                                      : Result<Budget>(Budget{split.number * kPetaflopDay, 0});
  const bool plain = split.unit.empty() || split.unit == "FLOP" || split.unit == "FLOPs";
  if (plain && split.number > kMostFlops) return too_many();
  if (plain && split.number >= 1e15) return Budget{split.number, 0};
  return refuse();
}

std::string count_text(double count) {
  const Power* power = kPowers.data();
  for (const Power& next : kPowers)
    if (count >= 0.99995 * next.factor) power = &next;
  return fmt::format("{:.4g}{}{}", count / power->factor, *power->name == '\0' ? "" : " ", power->name);
}

std::string flops_text(double flops) {
  return fmt::format("{:.3E} FLOPs", flops);
}

std::string grouped_text(double whole) {
  std::string text = fmt::format("{:.0f}", whole);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string petaflop_days_text(double flops) {
  const double days = flops / kPetaflopDay;
  return days < 1000 ? fmt::format("{:.3g}", days) : grouped_text(days);
}

std::string money_text(double usd) {
  const double cents = std::round(usd * 100), whole = std::floor(cents / 100);
  return fmt::format("${}.{:02.0f}", grouped_text(whole), cents - 100 * whole);
}

std::string seconds_text(Seconds seconds) {
  return report::duration_text(static_cast<double>(seconds.value));
}

std::string gigabytes_text(double bytes) {
  return fmt::format("{:.2f} GB", bytes / 1e9);
}

std::string corpus_text(double bytes) {
  if (bytes < 999.5e9) return fmt::format("{:.3g} GB", bytes / 1e9);
  return bytes < 999.5e12 ? fmt::format("{:.3g} TB", bytes / 1e12) : fmt::format("{:.3g} PB", bytes / 1e15);
}

}  // namespace orrery::planning
