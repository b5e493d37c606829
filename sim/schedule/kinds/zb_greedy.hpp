// List scheduling of F, I and W under a memory cap: one run of the search of zb_auto.
#pragma once
#include <cstdint>
#include <vector>

#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

// After its warm-up a rank takes whichever of F and I can start first. What it does where that leaves a choice:
struct ZbPolicy {
  enum class Tie : std::uint8_t { gradient, forward, forward_below_warm_up };  // both can start now
  enum class Fill : std::uint8_t { fitting, always, mostly, budget };  // a W longer than the gap before the next

  const std::vector<int>* warm_up = nullptr;  // [rank] forwards before the first I
  Tie tie = Tie::gradient;
  int ahead = 0;  // forwards in flight beyond the warm-up; negative = as many as memory holds
  Fill fill = Fill::fitting;
  std::int64_t budget = 0;  // Fill::budget: idle time up to which a rank rather waits than starts a W too long
};

class ZbGreedy {
 public:
  ZbGreedy(int ranks, int micro_batches, int cap, const StageTimes& times);

  // False if it gave up: the span would exceed `most`, or no rank could go on.
  bool run(const ZbPolicy& policy, std::int64_t most);
  std::int64_t span() const { return span_; }
  std::int64_t makespan() const { return makespan_; }
  std::int64_t steps() const { return steps_; }  // taken by all runs: what the search has cost so far
  std::vector<std::vector<Operation>> order() const;

 private:
  struct Rank {
    int forwards = 0, gradients = 0, weights = 0;
    std::int64_t now = 0, first = -1, end = 0, idle = 0;
    bool asleep = false;  // until a neighbour starts what it waits for
  };
  struct Choice {
    OpKind kind = OpKind::weight_gradient;
    std::int64_t start = 0;
    bool runs = false;
  };

  void reset();
  int next_rank() const;
  std::int64_t forward_arrives(int rank) const;
  std::int64_t gradient_arrives(int rank) const;
  Choice choose(int rank, const ZbPolicy& policy) const;
  bool fill_gap(int rank, std::int64_t gap, const ZbPolicy& policy) const;
  void start(int rank, OpKind kind);
  void wake(int rank, std::int64_t when);

  std::size_t item(int rank, int micro_batch) const { return at(rank) * at(m_) + at(micro_batch); }

  int p_, m_, cap_;
  const StageTimes& times_;
  std::vector<Rank> ranks_;
  std::vector<std::int64_t> acts_;                        // [rank] when it chooses next; far off if asleep or done
  std::vector<std::int64_t> forward_end_, gradient_end_;  // [rank · m + micro-batch]
  std::vector<std::vector<OpKind>> kinds_;                // [rank]
  std::int64_t span_ = 0, makespan_ = 0, steps_ = 0;
};

}  // namespace orrery::schedule::kinds
