// Text that keeps to a width, and its colours.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/program/program.hpp"
#include "orrery/report/numbers.hpp"

namespace orrery::report {

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
