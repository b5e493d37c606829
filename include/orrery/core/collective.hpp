// Kinds of communication, and the message size each is quoted with (as nccl-tests counts it).
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace orrery {

// Size S of a call: the TOTAL array. all_reduce: the buffer of each rank; all_gather: what is received; reduce_scatter:
// what is sent; all_to_all: the buffer of one rank; broadcast, send_receive: the message.
enum class Collective : std::uint8_t { all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, send_receive };

constexpr std::string_view name_of(Collective kind) {
  constexpr std::array<std::string_view, 6> names{"all_reduce", "all_gather", "reduce_scatter",
                                                  "all_to_all", "broadcast",  "send_receive"};
  return names[static_cast<std::size_t>(kind)];
}

}  // namespace orrery
