// Schedules as pictures for a terminal: one row per rank, time to the right.
#pragma once
#include <string>
#include <vector>

#include "orrery/schedule/replay.hpp"

namespace orrery::schedule {

struct DrawOptions {
  bool colour = true;  // ANSI backgrounds; otherwise plain ASCII
  int width = 0;       // columns to fit into; 0 = as many as it takes to show every micro-batch number
  StageTimes times;    // empty = F = I = W = 1
  MessageMode mode = MessageMode::asynchronous;
};

// The schedules below one another at one scale, each with makespan, bubbles and peak in flight. Letters: F forward, B
// backward, I input gradient, W weight gradient, X forward and backward overlapped; small ones on every second chunk of
// a rank; dots are idle. A deadlock is drawn as far as it gets, and named.
std::string draw(const std::vector<Schedule>& schedules, const DrawOptions& options = {});
std::string draw(const Schedule& schedule, const DrawOptions& options = {});
// Each with times of its own, for schedules that cut the model into different numbers of stages.
std::string draw(const std::vector<Schedule>& schedules, const std::vector<StageTimes>& times,
                 const DrawOptions& options);

}  // namespace orrery::schedule
