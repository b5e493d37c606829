// Amounts that plans count in, as people write them: tokens and parameters (15T, 405B), compute (3700PFs-day), money
// ($2M), deadlines (30d). What cannot be meant is refused with how it is written.
#pragma once
#include <string>
#include <string_view>

#include "orrery/core/error.hpp"
#include "orrery/core/units.hpp"

namespace orrery::planning {

// A run takes weeks: picoseconds end at 106 days, whole seconds at 292 billion years.
using Seconds = Quantity<struct SecondUnit>;

inline constexpr std::int64_t kSecondsPerDay = 86'400;
inline constexpr double kPetaflopDay = 1e15 * kSecondsPerDay;  // 8.64e19 FLOP

// `count` times `step`, rounded up.
Seconds run_time(std::int64_t count, Time step);
// Not negative, rounded up. Throws OverflowError beyond what 64 bits hold, and for NaN.
Seconds whole_seconds(double seconds);

// "405B", "1.5T", "405000000000": at least `least`. Letters K, M, B, T are powers of 1000. `what` names it in errors
// ("--tokens"); `example` is a good one.
struct CountFormat {
  const char* option;
  const char* example;
  double least = 1;
};
Result<double> read_count(std::string_view text, const CountFormat& format);

// "3TB" of text at so many bytes a token (about four of English with today's vocabularies), or a count.
Result<double> read_tokens(std::string_view text, double bytes_per_token);

// "30d", "12h", "6 weeks", "3 months" of 30 days, "1y" of 365.
Result<Seconds> read_deadline(std::string_view text);

// FLOPs: "3700PFs-day", "5.76e23" or "5.76e23 FLOP"; dollars: "$2M", "2M$".
struct Budget {
  double flops = 0, usd = 0;  // one of them
};
Result<Budget> read_budget(std::string_view text);

std::string count_text(double count);          // 405 B, 15 T
std::string flops_text(double flops);          // 6.075E+24 FLOPs
std::string petaflop_days_text(double flops);  // 3,700
std::string money_text(double usd);            // $11,899,038.46
std::string grouped_text(double whole);        // 421,875
std::string seconds_text(Seconds seconds);     // 30.4 days
std::string gigabytes_text(double bytes);      // 40.00 GB, of 10^9
std::string corpus_text(double bytes);         // 532 GB, 4.13 TB, 2 PB

// A mistake on the command line.
Diagnostic wrong_option(std::string option, std::string message, std::string help = {});

}  // namespace orrery::planning
