// Messages to ranks that work together. In the passes that messages are for they meet in collectives, so that none of
// them goes on before all have theirs: the slowest of the messages alone says when, those of the others may be taken to
// last as long, and the ranks are alike. Let M be the latest of a team; whatever its members do alike keeps it,
//   M(max(x, y) + w) = max(M(x), M(y)) + w,
// collectives with other teams too. Of a message with d_i for member i, M(sent + d) = M(sent) + max_i d_i where
//   - the same member is slowest in all messages on the way of the micro-batches through the stages: it is the latest
//     everywhere (Levelling::all_the_way), or
//   - all members send at once: the message begins as a pass ends in which they have met. The Program says which tasks
//     those are (Program::levelled), and whether the message begins then, its timeline (Levelling::each_hop).
// Where d_i is not all that tells the ranks of a team apart (their GPUs differ in speed, their other collectives take
// another time), each keeps its own, or that of a smaller team.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "ranks.hpp"

namespace orrery::program {

class TeamMessages {
 public:
  // `calls` of the step; those that are messages between pipeline ranks are looked at.
  TeamMessages(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication,
               const TeamLevels& level);

  // [pair] the one that stands for it, and whether on this hop alone.
  struct Pairs {
    std::vector<std::int32_t> standing;
    std::vector<bool> of_this_hop;
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
    bool of_this_hop(std::size_t group) const { return pairs != nullptr && pairs->of_this_hop[group]; }
  };
  Costs costs(const ObservedCall& call, Communication& communication) const;

 private:
  std::vector<std::pair<ObservedCall, Pairs>> levelled_;
};

}  // namespace orrery::program
