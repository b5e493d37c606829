#include "orrery/core/show.hpp"

#include <fmt/format.h>

#include <iterator>

#include "core/utf8.hpp"

namespace orrery {

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned b0 = byte(at), b1 = byte(at + 1);
  const auto tail = [&](std::size_t i) { return i < text.size() && continues(text[i]); };
  if (b0 < 0x80) return 1;
  if (b0 >= 0xC2 && b0 <= 0xDF) return tail(at + 1) ? 2 : 0;
  if (b0 >= 0xE0 && b0 <= 0xEF) {
    const bool good = (b0 != 0xE0 || b1 >= 0xA0) && (b0 != 0xED || b1 <= 0x9F);
    return good && tail(at + 1) && tail(at + 2) ? 3 : 0;
  }
  if (b0 >= 0xF0 && b0 <= 0xF4) {
    const bool good = (b0 != 0xF0 || b1 >= 0x90) && (b0 != 0xF4 || b1 <= 0x8F);
    return good && tail(at + 1) && tail(at + 2) && tail(at + 3) ? 4 : 0;
  }
  return 0;
}

char32_t utf8_character(std::string_view text, std::size_t at, std::size_t length) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  if (length == 1) return byte(0);
  char32_t c = byte(0) & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) c = c << 6 | (byte(i) & 0x3Fu);
  return c;
}

namespace {

// Bidirectional marks and overrides, by which a name can pass for another, and what is no character in XML.
bool misleads(char32_t c) {
  return (c & 0xFFFE) == 0xFFFE || c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

// Bytes of ESC [ digits m, 0 if it is none.
std::size_t colour_length(std::string_view text, std::size_t at) {
  if (text.substr(at, 2) != "\x1b[") return 0;
  const std::size_t end = text.find_first_not_of("0123456789;", at + 2);
  return end != std::string_view::npos && text[end] == 'm' ? end + 1 - at : 0;
}

}  // namespace

std::string safe_to_show(std::string_view text, Shown shown) {
  std::string safe;
  safe.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    std::size_t length = utf8_length(text, at);
    if (length == 0) {
      fmt::format_to(std::back_inserter(safe), "\\x{:02x}", static_cast<unsigned char>(text[at]));
      ++at;
      continue;
    }
    const char32_t c = utf8_character(text, at, length);
    const std::size_t colour = shown == Shown::coloured ? colour_length(text, at) : 0;
    const bool layout = shown != Shown::one_line && (c == '\n' || c == '\t');
    length = colour > 0 ? colour : length;
    if (colour == 0 && !layout && (is_control(c) || misleads(c)))
      fmt::format_to(std::back_inserter(safe), "\\u{:04x}", static_cast<unsigned>(c));
    else
      safe += text.substr(at, length);
    at += length;
  }
  return safe;
}

std::string in_short(std::string_view text) {
  constexpr std::size_t kShown = 40;
  if (text.size() <= kShown) return std::string(text);
  std::size_t end = kShown;
  while (end > 0 && continues(text[end])) --end;
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace orrery
