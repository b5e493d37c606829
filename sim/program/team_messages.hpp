// Messages to ranks that work together. In the passes that messages are for they meet in collectives, so that none of
// them goes on before all have theirs: the slowest of the messages alone says when, those of the others may be taken to
// last as long, and the ranks are alike. Let M be the latest of a team; whatever its members do alike keeps it,
//   M(max(x, y) + w) = max(M(x), M(y)) + w,
// collectives with other teams too. Of a message with d_i for member i, M(sent + d) = M(sent) + max_i d_i where a
// member that is slowest in it is the latest to send. That is so where
//   - the same member is slowest in all messages of all teams: it is the latest everywhere (Levelling::all_the_way), or
//   - all members send at once, behind a pass in which they have met. The Program says in which tasks they meet and
//   what
//     the message of each takes (Program::levels); who is how late where they do not, and so what a message takes from
//     there, the timeline says (Levelling::each_hop, engine/late_messages.cpp).
// Where d_i is not all that tells the ranks of a team apart (their GPUs differ in speed, their other collectives take
// another time), each keeps its own; or that of a smaller team, in which it is.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "ranks.hpp"

namespace orrery::program {

class TeamMessages {
 public:
  // `calls` of the step; those that are messages between pipeline ranks are looked at.
  TeamMessages(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication,
               const TeamLevels& level);

  // [pair] the one that stands for it, and what the messages of the team's members take: a number, 0 = all as long.
  struct Pairs {
    std::vector<std::int32_t> standing;
    std::vector<std::uint32_t> times;
  };
  // What a call costs each of its groups: its own cost, or where `pairs` are said that of another pair.
  struct Costs {
    const CallCosts& own;
    const Pairs* pairs = nullptr;
    std::size_t size() const { return own.size(); }
    std::size_t standing_for(std::size_t group) const {
      return pairs == nullptr ? group : static_cast<std::size_t>(pairs->standing[group]);
    }
    const CallCost& operator[](std::size_t group) const { return own[standing_for(group)]; }
    std::uint32_t times(std::size_t group) const { return pairs == nullptr ? 0 : pairs->times[group]; }
  };
  Costs costs(const ObservedCall& call, Communication& communication) const;
  // [Pairs::times − 1][member] ps; a member is counted along these dimensions, the last of them quickest.
  const std::vector<std::vector<std::int64_t>>& takes() const { return takes_; }
  const std::vector<layout::Dimension>& along() const { return along_; }

 private:
  // Of what the messages of a team's members take, as Pairs::times.
  std::uint32_t number_of(std::span<const std::int64_t> takes,
                          std::map<std::vector<std::int64_t>, std::uint32_t>& numbers);

  std::vector<std::pair<ObservedCall, Pairs>> levelled_;
  std::vector<std::vector<std::int64_t>> takes_;
  std::vector<layout::Dimension> along_;
};

}  // namespace orrery::program
