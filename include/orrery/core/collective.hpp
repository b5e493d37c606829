// Kinds of communication, and the message size each is quoted with (as nccl-tests counts it).
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace orrery {

// Size S of a call: the TOTAL array. all_reduce: the buffer of each rank; all_gather: what is received; reduce_scatter:
// what is sent; all_to_all: the buffer of one rank; broadcast, send_receive: the message; dispatch: the rows that one
// rank sends, each once to each rank that it is for.
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

// The chance that a row has any of its k experts among those of r ranks: 1 − Π (E − h·r − i)/(E − i), i < k. Experts
// that are given more or fewer rows than others are as if they were so many more or fewer of them.
constexpr double chance_of_any(const ChosenExperts& of, double ranks) {
  double nowhere = 1;
  for (std::int64_t i = 0; i < of.chosen; ++i) {
    const double others = static_cast<double>(of.experts - i) - static_cast<double>(of.held) * ranks;
    nowhere *= (others > 0 ? others : 0) / static_cast<double>(of.experts - i);
  }
  return 1 - nowhere;
}

// What each member of a group sends to each, where that is unlike: of an all_to_all or a dispatch, and of its way home.
struct MemberRows {
  std::vector<std::int64_t> to;  // [place in the group] of each member's rows
  std::int64_t of = 0;           // rows that a member has, those that no other takes with them
  bool home = false;             // each sends back what it was given
  auto operator<=>(const MemberRows&) const = default;

  double ranks(std::int64_t rows) const {  // that are given as much, where all are given the same
    return static_cast<double>(rows) * static_cast<double>(to.size()) / static_cast<double>(of);
  }
};

// Steps of passes share them; none: members send each other the same.
struct UnlikeRows {
  std::shared_ptr<const MemberRows> rows;

  explicit operator bool() const { return rows != nullptr; }
  const MemberRows& operator*() const { return *rows; }
  const MemberRows* operator->() const { return rows.get(); }
  friend std::strong_ordering operator<=>(const UnlikeRows& a, const UnlikeRows& b) {
    if (a.rows == b.rows) return std::strong_ordering::equal;
    return a.rows && b.rows ? *a.rows <=> *b.rows : static_cast<bool>(a) <=> static_cast<bool>(b);
  }
  friend bool operator==(const UnlikeRows& a, const UnlikeRows& b) { return (a <=> b) == 0; }
};

}  // namespace orrery
