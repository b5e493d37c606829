// Numbers and quantities from text and back, exact: digits × 10^e × unit in 128-bit integers.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <span>

#include "orrery/core/field_table.hpp"
#include "orrery/core/show.hpp"
#include "orrery/core/units.hpp"

namespace orrery {

namespace {

// One unit is factor / divisor base units (byte, picosecond, …).
struct Unit {
  std::string_view name;
  std::int64_t factor;
  std::int64_t divisor = 1;
};
constexpr std::int64_t kKilo = 1'000, kMega = 1'000'000, kGiga = 1'000'000'000, kTera = 1'000'000'000'000,
                       kPeta = 1'000'000'000'000'000, kExa = 1'000'000'000'000'000'000;
constexpr std::int64_t kKibi = 1LL << 10, kMebi = 1LL << 20, kGibi = 1LL << 30, kTebi = 1LL << 40, kPebi = 1LL << 50;

// The base unit stands first; format_quantity() prefers the first of equally short texts.
constexpr std::array kByteUnits{Unit{"B", 1},       Unit{"KB", kKilo},  Unit{"MB", kMega},  Unit{"GB", kGiga},
                                Unit{"TB", kTera},  Unit{"PB", kPeta},  Unit{"KiB", kKibi}, Unit{"MiB", kMebi},
                                Unit{"GiB", kGibi}, Unit{"TiB", kTebi}, Unit{"PiB", kPebi}};
constexpr std::array kBandwidthUnits{Unit{"B/s", 1},         Unit{"KB/s", kKilo},    Unit{"MB/s", kMega},
                                     Unit{"GB/s", kGiga},    Unit{"TB/s", kTera},    Unit{"PB/s", kPeta},
                                     Unit{"KiB/s", kKibi},   Unit{"MiB/s", kMebi},   Unit{"GiB/s", kGibi},
                                     Unit{"TiB/s", kTebi},   Unit{"b/s", 1, 8},      Unit{"Kb/s", kKilo, 8},
                                     Unit{"Mb/s", kMega, 8}, Unit{"Gb/s", kGiga, 8}, Unit{"Tb/s", kTera, 8}};
constexpr std::array kTimeUnits{Unit{"ps", 1},           Unit{"ns", kKilo},       Unit{"us", kMega},
                                Unit{"ms", kGiga},       Unit{"s", kTera},        Unit{"min", 60 * kTera},
                                Unit{"h", 3600 * kTera}, Unit{"d", 86400 * kTera}};
constexpr std::array kRateUnits{Unit{"FLOP/s", 1},      Unit{"KFLOP/s", kKilo}, Unit{"MFLOP/s", kMega},
                                Unit{"GFLOP/s", kGiga}, Unit{"TFLOP/s", kTera}, Unit{"PFLOP/s", kPeta},
                                Unit{"EFLOP/s", kExa}};
constexpr std::array kFlopUnits{Unit{"FLOP", 1},      Unit{"KFLOP", kKilo}, Unit{"MFLOP", kMega}, Unit{"GFLOP", kGiga},
                                Unit{"TFLOP", kTera}, Unit{"PFLOP", kPeta}, Unit{"EFLOP", kExa}};

std::span<const Unit> units_of(FieldType type) {
  switch (type) {
    case FieldType::bytes:
      return kByteUnits;
    case FieldType::bandwidth:
      return kBandwidthUnits;
    case FieldType::time:
      return kTimeUnits;
    case FieldType::rate:
      return kRateUnits;
    case FieldType::flops:
      return kFlopUnits;
    default:
      internal_error("a field that is no quantity has no units");
  }
}

std::string list_units(FieldType type) {
  std::string text;
  for (const Unit& unit : units_of(type)) text += (text.empty() ? "" : ", ") + std::string(unit.name);
  return text;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A decimal number in the only notation taken: -? digits (. digits)? ([eE] [+-]? digits)?, no leading zeros.
struct Decimal {
  bool negative = false;
  bool fits = true;  // digits and exponent are in range
  Int128 digits = 0;
  int exponent = 0;        // value = digits · 10^exponent
  std::size_t length = 0;  // characters read; 0 = no number here
};

// The digits of one run into d.digits; false when there is none.
bool take_digits(std::string_view text, std::size_t& at, Decimal& d, bool fraction) {
  const std::size_t start = at;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    if (__builtin_mul_overflow(d.digits, Int128{10}, &d.digits) ||
        __builtin_add_overflow(d.digits, Int128{text[at] - '0'}, &d.digits))
      d.fits = false;
    if (fraction) --d.exponent;
  }
  return at > start;
}

Decimal read_decimal(std::string_view text) {
  Decimal d;
  std::size_t at = 0;
  if (at < text.size() && text[at] == '-') {
    d.negative = true;
    ++at;
  }
  const std::size_t first = at;
  if (!take_digits(text, at, d, false) || (text[first] == '0' && at > first + 1)) return {};
  if (at < text.size() && text[at] == '.' && !take_digits(text, ++at, d, true)) return {};
  // "1 EB" and "1 e" end the number; only e followed by a sign or digit is an exponent.
  if (at + 1 < text.size() && (text[at] == 'e' || text[at] == 'E') &&
      (is_digit(text[at + 1]) ||
       ((text[at + 1] == '-' || text[at + 1] == '+') && at + 2 < text.size() && is_digit(text[at + 2])))) {
    const char* begin = text.data() + at + (text[at + 1] == '+' ? 2 : 1);
    int exponent = 0;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), exponent);
    if (error != std::errc() || exponent > 1000 || exponent < -1000)
      d.fits = false;
    else
      d.exponent += exponent;
    at = static_cast<std::size_t>(end - text.data());
  }
  d.length = at;
  return d;
}

// digits · 10^exponent · factor / divisor as an integer: 0 = done, '/' = not whole, '>' = too large.
char scale(Decimal d, const Unit& unit, std::int64_t& value) {
  if (!d.fits) return '>';
  if (d.digits == 0) {
    value = 0;
    return 0;
  }
  Int128 numerator = 0;
  if (__builtin_mul_overflow(d.digits, Int128{unit.factor}, &numerator)) return '>';
  for (; d.exponent > 0; --d.exponent)
    if (__builtin_mul_overflow(numerator, Int128{10}, &numerator)) return '>';
  for (; d.exponent < 0; ++d.exponent) {
    if (numerator % 10 != 0) return '/';
    numerator /= 10;
  }
  if (numerator % unit.divisor != 0) return '/';
  numerator /= unit.divisor;
  if (numerator > std::numeric_limits<std::int64_t>::max()) return '>';
  value = static_cast<std::int64_t>(numerator);
  return 0;
}

}  // namespace

std::string parse_integer(std::string_view text, std::int64_t& value) {
  const Decimal d = read_decimal(text);
  const bool digits_only = text.find_first_not_of("-0123456789") == std::string_view::npos;
  if (d.length != text.size() || text.empty() || !digits_only) return "is not a plain decimal integer";
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::string() : "is beyond 64 bits";
}

std::string parse_number(std::string_view text, double& value) {
  const Decimal d = read_decimal(text);
  if (text.empty() || d.length != text.size()) return "is not a plain decimal number";
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::string() : "is beyond the range of a double";
}

std::string parse_quantity(FieldType type, std::string_view text, std::int64_t& value) {
  const Decimal d = read_decimal(text);
  if (d.length == 0) return "does not start with a decimal number";
  std::string_view name = text.substr(d.length);
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  if (name.empty()) return "has no unit, write one of " + list_units(type);
  const Unit* unit = nullptr;
  for (const Unit& candidate : units_of(type))
    if (candidate.name == name) unit = &candidate;
  if (!unit) return fmt::format("has the unknown unit '{}', write one of {}", in_short(name), list_units(type));
  if (d.negative) return "is negative";
  switch (scale(d, *unit, value)) {
    case '/':
      return fmt::format("is not a whole number of {}", units_of(type).front().name);
    case '>':
      return "is beyond 64 bits";
    default:
      return {};
  }
}

std::string format_quantity(FieldType type, std::int64_t value) {
  std::string best = fmt::format("{} {}", value, units_of(type).front().name);
  for (const Unit& unit : units_of(type)) {
    if (value == 0 || unit.divisor != 1) continue;
    // At most three decimals, so that nobody has to count digits.
    const Int128 thousandths = static_cast<Int128>(value) * 1000;
    if (thousandths % unit.factor != 0) continue;
    const auto scaled = thousandths / unit.factor;
    if (scaled < 1000) continue;
    std::string text = fmt::format("{}", static_cast<std::int64_t>(scaled / 1000));
    if (const auto rest = static_cast<int>(scaled % 1000); rest != 0) {
      text += fmt::format(".{:03}", rest);
      while (text.back() == '0') text.pop_back();
    }
    text += fmt::format(" {}", unit.name);
    if (text.size() < best.size()) best = text;
  }
  return best;
}

}  // namespace orrery
