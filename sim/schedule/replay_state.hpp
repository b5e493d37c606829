// What both replays share: item numbers, durations, delays, the peaks.
#pragma once
#include <vector>

#include "orrery/schedule/replay.hpp"

namespace orrery::schedule {

inline constexpr std::int64_t kNotYet = -1;  // a time that is not known

inline std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

// The halves of an operation: an overlapped one has both, the others one (W neither: it hands nothing on).
inline bool has_forward(const Operation& o) {
  return o.kind == OpKind::forward || o.kind == OpKind::overlapped;
}
inline bool has_gradient(const Operation& o) {
  return o.kind == OpKind::backward || o.kind == OpKind::input_gradient || o.kind == OpKind::overlapped;
}
struct Half {
  int stage, micro_batch, pipe;
};
inline Half forward_half(const Operation& o) {
  return {o.stage, o.micro_batch, o.pipe};
}
inline Half gradient_half(const Operation& o) {
  if (o.kind == OpKind::overlapped) return {o.backward_stage, o.backward_micro_batch, o.backward_pipe};
  return forward_half(o);
}

// Numbers the outputs of (pipe, stage, micro-batch): the activation and the input gradient.
class Items {
 public:
  explicit Items(const Schedule& s)
      : stages_(s.placement.stages), per_pipe_(s.micro_batches / s.placement.pipes), pipes_(s.placement.pipes) {}

  std::int64_t of(const Half& h) const {
    return (static_cast<std::int64_t>(h.pipe) * stages_ + h.stage) * per_pipe_ + h.micro_batch;
  }
  std::size_t count() const { return index(pipes_) * index(stages_) * index(per_pipe_); }
  int per_pipe() const { return per_pipe_; }
  bool in_range(const Half& h) const {
    return h.pipe >= 0 && h.pipe < pipes_ && h.stage >= 0 && h.stage < stages_ && h.micro_batch >= 0 &&
           h.micro_batch < per_pipe_;
  }

 private:
  int stages_, per_pipe_, pipes_;
};

std::int64_t duration(const Operation& operation, const StageTimes& times);
// The operation that makes the activation or the input gradient of a half, for naming what a rank waits for.
Operation maker(const Schedule& schedule, const Half& half, bool gradient);
void start_replay(const Schedule& schedule, Replay& out);
void finish_replay(const Schedule& schedule, const StageTimes& times, Replay& out);
// The deadlock of an asynchronous replay, times left out: whether there is one does not depend on them.
std::vector<Blocked> find_deadlock(const Schedule& schedule, const layout::StageGraph& stages);
Replay replay_rendezvous(const Schedule& schedule, const layout::StageGraph& stages, const StageTimes& times);

}  // namespace orrery::schedule
