// Seeded random numbers, the same on every machine: the standard distributions are left to each implementation.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "orrery/core/units.hpp"

namespace orrery {

// The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): a
// bijection of 64 bits in which every input bit reaches every output bit.
constexpr std::uint64_t mix64(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// SplitMix64: state += 2^64 / golden ratio, output = mix64(state).
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() { return mix64(state_ += 0x9E3779B97F4A7C15u); }

  // Uniform in [0, n), n > 0, without bias (Lemire 2019: the high half of a product, rejecting the uneven rest).
  constexpr std::uint64_t below(std::uint64_t n) {
    for (;;) {
      const auto product = static_cast<Uint128>(next()) * n;
      const auto low = static_cast<std::uint64_t>(product);
      if (low >= n || low >= (0 - n) % n) return static_cast<std::uint64_t>(product >> 64);
    }
  }
  // Uniform in [least, most].
  constexpr std::int64_t between(std::int64_t least, std::int64_t most) {
    const auto span = static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least);
    const std::uint64_t offset = span + 1 == 0 ? next() : below(span + 1);
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(least) + offset);
  }
  // Uniform in [0, 1), a multiple of 2^-53.
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  template <class T>
  constexpr void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }
  // A generator of its own for a part of the work, so that parts do not shift each other's numbers.
  constexpr Random fork(std::uint64_t stream) const { return Random(mix64(state_ ^ mix64(stream + 1))); }

 private:
  __extension__ using Uint128 = unsigned __int128;
  std::uint64_t state_;
};

}  // namespace orrery
