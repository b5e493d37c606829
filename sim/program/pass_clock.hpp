// A pass as a graph, and the one rule of when each of its steps begins: alone, as a block, beside a second pass, and as
// tasks of a Program.
//
// Steps stand in program order. A step follows the last one before it that is waited for, and each call made since then
// or running beside that one that has had its steps beside it (TimedStep::beside). It begins when all of these have
// ended and its lane is free; while a call is waited for, nothing computes.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "orrery/program/pipeline.hpp"

namespace orrery::program {

inline bool runs_beside(const TimedStep& step) {
  return step.lane != Lane::compute && step.beside > 0;
}

// Whom each step follows, the steps taken in order; a number is that of a step.
class PassOrder {
 public:
  static constexpr std::uint32_t kBefore = kNone;  // what the first step follows
  const std::vector<std::uint32_t>& before_next() const { return follows_; }
  void take(const TimedStep& step);
  // Whom that follows which comes behind all of them: calls still in flight too.
  const std::vector<std::uint32_t>& before_end();

 private:
  void join(std::uint32_t next);
  struct Call {
    std::uint32_t step, until;  // the step that waits for it
  };
  std::vector<std::uint32_t> follows_{kBefore};
  std::vector<Call> in_flight_;
  std::uint32_t taken_ = 0;
};

// Passes that share the lanes of a device from time 0 on, their steps taken one by one. A `hidden` call is waited for
// by the next step of its own pass, but leaves the compute lane to the others.
class PassClock {
 public:
  explicit PassClock(std::size_t passes = 1) : passes_(passes) {}
  // What the next step of a pass follows has ended, and nothing computes if it needs that.
  Time ready(const TimedStep& step, std::size_t pass = 0, bool hidden = false) const;
  // Its lane is free as well.
  Time start(const TimedStep& step, std::size_t pass = 0, bool hidden = false) const;
  void take(const TimedStep& step, Time end, std::size_t pass = 0, bool hidden = false);
  Time finish(std::size_t pass = 0);

 private:
  struct Taken {
    PassOrder order;
    std::vector<Time> ends;
    Time ended(const std::vector<std::uint32_t>& steps) const;
  };
  std::vector<Taken> passes_;
  std::array<Time, kLanes> free_{};
};

// What besides the steps themselves says how long they take.
struct PassTiming {
  bool host = false;                        // no step starts before the host, which launches them in turn, launched it
  std::array<Slowdown, kLanes> slowdown{};  // [lane] of kernels while a call of the lane runs beside them
};
struct PassTimes {
  std::vector<Time> start, end;  // [step]
  Time finish{};
};
PassTimes time_pass(std::span<const TimedStep> steps, const PassTiming& timing = {});

}  // namespace orrery::program
