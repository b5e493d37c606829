// Plays a schedule with given times, without devices, kernels or links: for checking schedules, for the search of
// zb_auto and for quick answers. The Program and its engine are the real way and agree with it.
//
// Conventions. An operation starts when its rank is free and its inputs have arrived. An edge of the stage graph whose
// ends stand on two ranks delays by `message`, asynchronously and without contention; an edge within a rank does not. A
// fused backward hands its input gradient on at its end, a split one at the end of I. An overlapped operation hands on
// both outputs at its end.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "orrery/layout/stage_graph.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::schedule {

using layout::MessageMode;

struct OperationSpan {
  std::int64_t start = 0;
  std::int64_t end = 0;
};

// Where a rank stands still for good, and what it waits for.
struct Blocked {
  int rank = 0;
  int position = 0;
  Operation operation;
  Operation waits_for;  // an operation, or (rendezvous) the one whose message is not taken
  int waits_for_rank = 0;
  bool sends = false;  // rendezvous: stands in the sending of waits_for, which the other rank does not take
};
std::string to_string(const Blocked& blocked);

struct Replay {
  std::vector<OperationSpan> spans;  // all ranks, one after another
  std::vector<std::size_t> first;    // [rank] where the spans of a rank begin; one more at the end
  std::vector<Blocked> deadlock;     // empty = every operation ran
  int ranks = 0;
  std::int64_t makespan = 0;       // from 0 to the last end on any rank
  std::int64_t busy = 0;           // Σ durations over all ranks
  std::int64_t max_rank_span = 0;  // largest own-first-start to own-last-end
  // Most (micro-batch, chunk) activations a rank holds: taken at the start of F, given back at the end of B or W, or
  // (the second) at the end of B or I.
  std::vector<int> peak_until_weight;  // [rank]
  std::vector<int> peak_until_input;   // [rank]

  const OperationSpan& span(int rank, int position) const {
    return spans[first[static_cast<std::size_t>(rank)] + static_cast<std::size_t>(position)];
  }
  // Exact as idle / (ranks · makespan) and idle in the span / (ranks · max_rank_span).
  std::int64_t idle() const { return ranks * makespan - busy; }
  std::int64_t span_idle() const { return ranks * max_rank_span - busy; }
  double schedule_bubble_fraction() const;
  double span_bubble_fraction() const;
};

// The same time for every stage: uniform_times(S, 1, 1, 1) is the unit time of the papers.
StageTimes uniform_times(int stages, std::int64_t forward, std::int64_t input_gradient, std::int64_t weight_gradient,
                         std::int64_t message = 0);

// Operations of the schedule must be in range (see validate()); a missing one shows as a deadlock. Messages are
// asynchronous or a rendezvous; serialised ones are for the Program to play.
Replay replay(const Schedule& schedule, const layout::StageGraph& stages, const StageTimes& times,
              MessageMode mode = MessageMode::asynchronous);
// With stages in a chain.
Replay replay(const Schedule& schedule, const StageTimes& times, MessageMode mode = MessageMode::asynchronous);

}  // namespace orrery::schedule
