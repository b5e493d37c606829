// Number formats of matrix arithmetic and storage.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace orrery {

enum class DType : std::uint8_t { fp32, tf32, fp16, bf16, fp8, int8 };
inline constexpr std::array kDTypes{DType::fp32, DType::tf32, DType::fp16, DType::bf16, DType::fp8, DType::int8};

constexpr std::string_view name_of(DType type) {
  constexpr std::array<std::string_view, 6> names{"fp32", "tf32", "fp16", "bf16", "fp8", "int8"};
  return names[static_cast<std::size_t>(type)];
}

// Bytes of one stored element.
constexpr std::int64_t size_of(DType type) {
  constexpr std::array<std::int64_t, 6> sizes{4, 4, 2, 2, 1, 1};
  return sizes[static_cast<std::size_t>(type)];
}

}  // namespace orrery
