// Figures as people write them, and text that keeps to a width.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/program/program.hpp"

namespace orrery::report {

std::string time_text(std::int64_t ps);                      // four digits: "13.75 s", "812.0 us"
std::string bytes_text(std::int64_t bytes);                  // three digits: "67.2 GiB", "512 MiB"
std::string integer_text(std::int64_t n);                    // "9,533"
std::string count_text(double count);                        // "9,533", "12.4 M"
std::string parameters_text(std::int64_t n);                 // "1.30 B", "86.0 M"
std::string percent_text(double fraction);                   // "61.2 %", "< 0.1 %"
std::string rank_list(std::span<const std::int32_t> ranks);  // "3", "0-7", "0, 2, 4-6", "0, 2, 4, … (32 ranks)"

// Columns a text takes in a terminal: code points (all our symbols are one column wide).
int columns(std::string_view text);
// Lines of at most `width` columns, broken at blanks.
std::vector<std::string> wrap(std::string_view text, int width);

enum class Tone : std::uint8_t { plain, bold, good, bad, dim };
struct Paint {
  bool on = false;
  std::string operator()(Tone tone, std::string_view text) const;
  std::string operator()(program::Category category, std::string_view text) const;
};

}  // namespace orrery::report
