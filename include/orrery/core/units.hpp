// Quantities as types: 64-bit integers that cannot be mixed, with checked arithmetic.
//
//   Time            picoseconds (range ±106 days)
//   Bytes           bytes
//   Flops           floating-point operations of one operator (sums over a step go into WideFlops)
//   BytesPerSecond  bandwidth, one direction
//   FlopsPerSecond  rate
//
// Overflow throws OverflowError in release builds too: a wrapped time is a wrong answer, not a detail.
#pragma once
#include <compare>
#include <cstdint>
#include <stdexcept>

namespace orrery {

struct OverflowError : std::overflow_error {
  using std::overflow_error::overflow_error;
};
[[noreturn]] void throw_overflow(const char* what);

__extension__ using Int128 = __int128;
using WideFlops = Int128;

inline std::int64_t checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw_overflow("addition");
  return sum;
}
inline std::int64_t checked_sub(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) throw_overflow("subtraction");
  return difference;
}
inline std::int64_t checked_mul(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw_overflow("multiplication");
  return product;
}
std::int64_t checked_narrow(Int128 value);

// A count of units; `Unit` only tells the types apart.
template <class Unit>
struct Quantity {
  std::int64_t value = 0;

  friend constexpr auto operator<=>(Quantity, Quantity) = default;
  friend Quantity operator+(Quantity a, Quantity b) { return {checked_add(a.value, b.value)}; }
  friend Quantity operator-(Quantity a, Quantity b) { return {checked_sub(a.value, b.value)}; }
  friend Quantity operator*(Quantity a, std::int64_t n) { return {checked_mul(a.value, n)}; }
  friend Quantity operator*(std::int64_t n, Quantity a) { return a * n; }
  Quantity& operator+=(Quantity other) { return *this = *this + other; }
  Quantity& operator-=(Quantity other) { return *this = *this - other; }
};

using Time = Quantity<struct PicosecondUnit>;
using Bytes = Quantity<struct ByteUnit>;
using Flops = Quantity<struct FlopUnit>;
using BytesPerSecond = Quantity<struct BytesPerSecondUnit>;
using FlopsPerSecond = Quantity<struct FlopsPerSecondUnit>;

inline constexpr std::int64_t kPicosecondsPerSecond = 1'000'000'000'000;
inline constexpr std::int64_t kPicosecondsPerMicrosecond = 1'000'000;

constexpr double seconds(Time t) {
  return static_cast<double>(t.value) / 1e12;
}

// ⌈numerator / denominator⌉ for numerator ≥ 0, denominator > 0.
constexpr std::int64_t ceil_div(std::int64_t numerator, std::int64_t denominator) {
  return numerator / denominator + (numerator % denominator != 0 ? 1 : 0);
}

// ⌈bytes · 10¹² / bandwidth⌉ in 128 bits: the time of a transfer that shares nothing, without its latency.
Time transfer_time(Bytes bytes, BytesPerSecond bandwidth);

// A non-negative time in seconds, rounded up to whole picoseconds. Throws OverflowError beyond 106 days or for NaN.
Time time_from_seconds(double seconds);

}  // namespace orrery
