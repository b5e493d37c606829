// UTF-8, byte by byte.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace orrery {

// Bytes of the UTF-8 sequence at `at`, 0 if it is none (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF).
std::size_t utf8_length(std::string_view text, std::size_t at);
// The character of a valid sequence of so many bytes.
char32_t utf8_character(std::string_view text, std::size_t at, std::size_t length);
// Of a byte: whether it stands inside a sequence.
constexpr bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u;
}
// C0, DEL and C1 (Unicode's category Cc): what a terminal obeys instead of showing it.
constexpr bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

}  // namespace orrery
