// A 64-bit hash of a stream of integers and texts, for `timeline_hash` and the like: tells whether two results are the
// same, on any machine. Not for secrets.
//
//   h = 0;  for each 64-bit word w:  h = mix64(h + 0x9E3779B97F4A7C15 + w·0xD6E8FEB86659FD93)    (mod 2^64)
//
// with mix64 of SplitMix64 (core/random.hpp). A signed integer is its two's complement; a text is its length and then
// its bytes, eight a word, the first in the lowest byte, the last word filled with zeros. hex() is 16 lower-case
// digits.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "orrery/core/random.hpp"

namespace orrery {

class Hash {
 public:
  constexpr void add(std::uint64_t word) { state_ = mix64(state_ + 0x9E3779B97F4A7C15u + word * 0xD6E8FEB86659FD93u); }
  template <class T>
  requires(std::is_integral_v<T> || std::is_enum_v<T>) constexpr void add(T value) {
    add(static_cast<std::uint64_t>(value));
  }
  template <class Unit>
  constexpr void add(Quantity<Unit> quantity) {
    add(quantity.value);
  }
  constexpr void add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    for (std::size_t at = 0; at < text.size(); at += 8) {
      std::uint64_t word = 0;
      for (std::size_t i = 0; i < 8 && at + i < text.size(); ++i)
        word |= std::uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
      add(word);
    }
  }
  void add(const char* text) { add(std::string_view(text)); }

  constexpr std::uint64_t value() const { return state_; }
  std::string hex() const {
    std::string text(16, '0');
    for (std::size_t i = 0; i < 16; ++i) text[i] = "0123456789abcdef"[(state_ >> (60 - 4 * i)) & 15u];
    return text;
  }

 private:
  std::uint64_t state_ = 0;
};

}  // namespace orrery
