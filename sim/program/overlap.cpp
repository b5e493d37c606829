#include "overlap.hpp"

#include <algorithm>
#include <array>

#include "pass_clock.hpp"

namespace orrery::program {
namespace {

using layout::PassKind;

bool waited_for(const TimedStep& step) {
  return step.lane != Lane::compute && !runs_beside(step);
}

// Which steps of a half leave the compute lane to the other half: of its calls, spread evenly, percent of a hundred.
std::vector<bool> hidden_calls(const Pass& pass, int percent) {
  std::vector<bool> hidden;
  std::int64_t calls = 0;
  for (const TimedStep& step : pass.steps) {
    hidden.push_back(waited_for(step) && (calls + 1) * percent / 100 > calls * percent / 100);
    calls += waited_for(step) ? 1 : 0;
  }
  return hidden;
}

class Merge {
 public:
  Merge(const Pass& forward, const Pass& backward, int percent)
      : halves_{Half{&forward, hidden_calls(forward, percent)}, Half{&backward, hidden_calls(backward, percent)}} {}

  JointOrder run() {
    while (!halves_[0].done() || !halves_[1].done())
      take(halves_[0].done() ? 1 : halves_[1].done() ? 0 : (key(1) <= key(0) ? 1 : 0));
    for (int h = 0; h < 2; ++h) order_.at[h].push_back(static_cast<std::uint32_t>(order_.steps.size()));
    return std::move(order_);
  }

 private:
  struct Half {
    const Pass* pass;
    std::vector<bool> hidden;
    std::uint32_t next = 0;
    bool done() const { return next == pass->steps.size(); }
    const TimedStep& step() const { return pass->steps[next]; }
  };
  // Calls beside compute first, for they take nothing from the other half.
  std::pair<Time, bool> key(std::size_t h) const {
    const Half& half = halves_[h];
    const bool hidden = half.hidden[half.next];
    return {clock_.ready(half.step(), h, hidden), !hidden && !runs_beside(half.step())};
  }
  void take(int h) {
    const auto pass = static_cast<std::size_t>(h);
    Half& half = halves_[pass];
    const TimedStep& step = half.step();
    const bool hidden = half.hidden[half.next];
    clock_.take(step, clock_.start(step, pass, hidden) + step.before + step.duration, pass, hidden);
    order_.at[h].push_back(static_cast<std::uint32_t>(order_.steps.size()));
    order_.steps.push_back({h, half.next++});
  }

  std::array<Half, 2> halves_;
  PassClock clock_{2};
  JointOrder order_;
};

}  // namespace

JointOrder joint_order(const Pass& forward, const Pass& backward, int percent) {
  return Merge(forward, backward, percent).run();
}

Pass joint_pass(const JointOrder& order, const Pass& forward, const Pass& backward, int percent) {
  const Pass* of[2] = {&forward, &backward};
  const std::vector<bool> hidden[2] = {hidden_calls(forward, percent), hidden_calls(backward, percent)};
  Pass joint;
  joint.inside = forward.inside;  // and no host reads: the other half has been launched by then
  for (const JointOrder::Place& at : order.steps) {
    TimedStep step = of[at.half]->steps[at.index];
    const auto own = static_cast<std::uint32_t>(joint.steps.size());
    if (runs_beside(step) || hidden[at.half][at.index])
      step.beside = order.at[at.half][at.index + 1 + step.beside] - own - 1;
    joint.steps.push_back(std::move(step));
  }
  return joint;
}

const JointOrder& OverlappedPasses::order(const schedule::Operation& op) {
  const auto [it, fresh] = orders_.try_emplace({op.stage, op.pipe, op.backward_stage, op.backward_pipe});
  if (fresh)
    it->second = joint_order(planned_.pass(0, op.stage, PassKind::forward, op.pipe),
                             planned_.pass(0, op.backward_stage, PassKind::backward, op.backward_pipe), percent_);
  return it->second;
}

const Pass& OverlappedPasses::pass(std::int32_t rank, const schedule::Operation& op, bool opens) {
  const Pass& forward = stages_.pass(rank, op.stage, PassKind::forward, op.pipe);
  const Pass& backward = stages_.pass(rank, op.backward_stage, PassKind::backward, op.backward_pipe, opens);
  const auto [it, fresh] = passes_.try_emplace({&forward, &backward});
  if (fresh) it->second = joint_pass(order(op), forward, backward, percent_);
  return it->second;
}

void OverlappedPasses::place(const schedule::Operation& op, bool forward_half, std::vector<DataCall>& calls) {
  const std::vector<std::uint32_t>& at = order(op).at[forward_half ? 0 : 1];
  for (DataCall& call : calls)
    call.position = call.gather || call.position == 0 ? at[call.position] : at[call.position - 1] + 1;
  std::stable_sort(calls.begin(), calls.end(),
                   [](const DataCall& a, const DataCall& b) { return a.position < b.position; });
}

}  // namespace orrery::program
