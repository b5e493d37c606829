// The first of several processes, and what it and the others tell each other.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "orrery/sweep/peers.hpp"
#include "sweep/waves.hpp"

namespace orrery::sweep {

// What a group came to that another process played.
struct Share {
  std::size_t group = 0;     // in the wave
  bool refused = false;      // each of its rows
  std::vector<Row> rows;     // as many as the group has, in its order, not yet held to conditions
  std::vector<char> played;  // of each, whether it was: bounds tell the others
};

class Team {
 public:
  explicit Team(Peers& peers) : peers_(peers), asked_(static_cast<std::size_t>(peers.count()) + 1) {}
  // Sends everybody home, those who have not asked yet too.
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Plays these groups of the wave: hands them out, and while nobody asks plays some by `here` (the next so many from
  // a place in `groups` on; how many it took). `take` is told what the others played, in any order.
  Diagnostics play(const Wave& wave, const Row* last, const std::vector<std::size_t>& groups,
                   const std::function<std::size_t(std::size_t)>& here, const std::function<void(Share&)>& take);

 private:
  Diagnostics read(const Message& message, const std::function<void(Share&)>& take);
  std::size_t hand_out(const Wave& wave, const Row* last, const std::vector<std::size_t>& groups, std::size_t next);

  Peers& peers_;
  std::vector<bool> asked_;      // [process] it waits for work
  std::vector<int> waiting_;     // those, in the order they asked
  std::size_t outstanding_ = 0;  // groups that were handed out
};

}  // namespace orrery::sweep
