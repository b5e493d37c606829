// Messages to tensor-parallel ranks. In every pass that a message is for they meet in collectives, so that none of them
// goes on before all have theirs: the slowest of the messages alone says when. Where one rank's are the slowest
// on all of the way of its micro-batches through the stages, those of the others may be taken to last as long, and the
// ranks are alike: the step takes the same time, by
//   start of the pass = max_i (arrival_i),  arrival_i(k) = max(sent(k), arrival_i(k − 1)) + d_i ≤ that of max_i d_i.
// Where another is slowest from one stage to the next than on the lane before, or d_i is not all that tells the ranks
// of a team apart (their GPUs differ in speed, their other collectives take another time), each keeps its own.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "ranks.hpp"

namespace orrery::program {

class TeamMessages {
 public:
  TeamMessages() = default;  // each takes what it takes
  // `calls` of the step; those that are messages between pipeline ranks are looked at.
  TeamMessages(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication);

  // What a call costs each of its groups: its own cost, or where `pairs` are said that of another pair.
  struct Costs {
    const CallCosts& own;
    const std::vector<std::int32_t>* pairs = nullptr;  // [pair] the one that stands for it
    std::size_t size() const { return own.size(); }
    std::size_t standing_for(std::size_t group) const {
      return pairs == nullptr ? group : static_cast<std::size_t>((*pairs)[group]);
    }
    const CallCost& operator[](std::size_t group) const { return own[standing_for(group)]; }
  };
  Costs costs(const ObservedCall& call, Communication& communication) const;

 private:
  std::vector<std::pair<ObservedCall, std::vector<std::int32_t>>> levelled_;
};

}  // namespace orrery::program
