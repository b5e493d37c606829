// Kinds of communication, and the message size each is quoted with (as nccl-tests counts it).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace orrery {

// Size S of a call: the TOTAL array. all_reduce: the buffer of each rank; all_gather: what is received; reduce_scatter:
// what is sent; all_to_all: the buffer of one rank; broadcast, send_receive: the message; dispatch: the rows that one
// rank is given, each once.
enum class Collective : std::uint8_t {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  broadcast,
  send_receive,
  dispatch
};
inline constexpr std::size_t kCollectives = 7;

constexpr std::string_view name_of(Collective kind) {
  constexpr std::array<std::string_view, kCollectives> names{
      "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast", "send_receive", "dispatch"};
  return names[static_cast<std::size_t>(kind)];
}

// What rows of a dispatch choose: so many of the experts, of which each rank of the group holds some of its own.
struct ChosenExperts {
  std::int64_t experts = 1, held = 1, chosen = 1;
  friend bool operator==(const ChosenExperts&, const ChosenExperts&) = default;
};

// The chance that a row has any of its k experts among those of r ranks: 1 − Π (E − h·r − i)/(E − i), i < k.
constexpr double chance_of_any(const ChosenExperts& of, std::int64_t ranks) {
  double nowhere = 1;
  for (std::int64_t i = 0; i < of.chosen; ++i) {
    const std::int64_t others = of.experts - of.held * ranks - i;
    nowhere *= static_cast<double>(others > 0 ? others : 0) / static_cast<double>(of.experts - i);
  }
  return 1 - nowhere;
}

}  // namespace orrery
