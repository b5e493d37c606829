// Number formats of matrix arithmetic and storage.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "orrery/core/error.hpp"

namespace orrery {

enum class DType : std::uint8_t { fp32, tf32, fp16, bf16, fp8, int8, fp4 };
inline constexpr std::array kDTypes{DType::fp32, DType::tf32, DType::fp16, DType::bf16,
                                    DType::fp8,  DType::int8, DType::fp4};

constexpr std::string_view name_of(DType type) {
  constexpr std::array<std::string_view, kDTypes.size()> names{"fp32", "tf32", "fp16", "bf16", "fp8", "int8", "fp4"};
  return names[static_cast<std::size_t>(type)];
}

// A value for each.
template <class T>
struct ByDType {
  T fp32{}, tf32{}, fp16{}, bf16{}, fp8{}, int8{}, fp4{};

  T& of(DType type) { return this->*member(type); }
  const T& of(DType type) const { return this->*member(type); }
  static constexpr T ByDType::*member(DType type) {
    constexpr std::array<T ByDType::*, kDTypes.size()> members{
        &ByDType::fp32, &ByDType::tf32, &ByDType::fp16, &ByDType::bf16, &ByDType::fp8, &ByDType::int8, &ByDType::fp4};
    return members[static_cast<std::size_t>(type)];
  }
  friend bool operator==(const ByDType&, const ByDType&) = default;
};

// Of one element, without scales.
constexpr std::int64_t bits_of(DType type) {
  constexpr std::array<std::int64_t, kDTypes.size()> bits{32, 32, 16, 16, 8, 8, 4};
  return bits[static_cast<std::size_t>(type)];
}

// Bytes of so many elements as they are stored. fp4 is NVIDIA's: a scale of a byte for 16 elements (nvfp4; that of the
// tensor, and the single scale of fp8, do not count).
constexpr std::int64_t stored_bytes(DType type, std::int64_t elements) {
  const std::int64_t scales = type == DType::fp4 ? (elements + 15) / 16 : 0;
  return elements / 8 * bits_of(type) + (elements % 8 * bits_of(type) + 7) / 8 + scales;
}

// Bytes of one stored element, of a format that has whole ones.
constexpr std::int64_t size_of(DType type) {
  if (type == DType::fp4) internal_error("size_of: fp4 has no whole bytes");
  return bits_of(type) / 8;
}

// What products take their operands of by a cast of 16-bit tensors.
constexpr bool is_quantised(DType type) {
  return type == DType::fp8 || type == DType::fp4;
}

}  // namespace orrery
