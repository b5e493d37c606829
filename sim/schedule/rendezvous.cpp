// Blocking exchanges. A rank's program, from Megatron-LM forward_backward_pipelining_without_interleaving
// (schedules.py): warm-up: recv_forward, F, send_forward; steady: F, send_forward_recv_backward, B,
// send_backward_recv_forward; cool-down: recv_backward, B, send_backward. So what stands between two operations is one
// exchange {send the output of the first, receive the input of the second} where their directions differ, and two, the
// send first, where they are the same.
#include <algorithm>

#include "schedule/replay_state.hpp"

namespace orrery::schedule {
namespace {

constexpr std::int64_t kNotYet = -1;

struct Message {
  std::int64_t item = kNotYet;  // 2·item + gradient
  int peer = 0;
  bool sends = false;
};

// One step of a rank's program: up to two sends and two receives, or (no message) an operation.
struct Step {
  Message messages[4];
  int count = 0;
  int operation = kNotYet;
};

class BlockingPlayer {
 public:
  BlockingPlayer(const Schedule& schedule, const StageTimes& times)
      : schedule_(schedule), times_(times), items_(schedule), placement_(schedule.placement) {
    start_replay(schedule, out_);
    const std::size_t ranks = index(placement_.ranks);
    for (auto* posted : {&sent_, &received_}) posted->assign(2 * items_.count(), kNotYet);
    made_.assign(2 * items_.count(), kNotYet);
    program_.resize(ranks), next_.assign(ranks, 0), now_.assign(ranks, 0);
    for (int rank = 0; rank < placement_.ranks; ++rank) write_program(rank);
  }

  Replay play() {
    for (bool moved = true; moved;) {
      moved = false;
      for (int rank = 0; rank < placement_.ranks; ++rank) moved = advance(rank) || moved;
    }
    name_deadlock();
    finish_replay(schedule_, times_, out_);
    return std::move(out_);
  }

 private:
  void add_inputs(const Operation& o, int rank, Step& step) const {
    if (has_forward(o) && o.stage > 0)
      add(placement_.rank_of(o.stage - 1, o.pipe), rank, {o.stage - 1, o.micro_batch, o.pipe}, 0, false, step);
    if (!has_gradient(o)) return;
    const Half half = gradient_half(o);
    if (half.stage + 1 == placement_.stages) return;
    add(placement_.rank_of(half.stage + 1, half.pipe), rank, {half.stage + 1, half.micro_batch, half.pipe}, 1, false,
        step);
  }
  void add_outputs(const Operation& o, int rank, Step& step) const {
    if (has_forward(o) && o.stage + 1 < placement_.stages)
      add(placement_.rank_of(o.stage + 1, o.pipe), rank, forward_half(o), 0, true, step);
    if (!has_gradient(o)) return;
    const Half half = gradient_half(o);
    if (half.stage > 0) add(placement_.rank_of(half.stage - 1, half.pipe), rank, half, 1, true, step);
  }
  void add(int peer, int rank, const Half& half, int gradient, bool sends, Step& step) const {
    if (peer != rank) step.messages[step.count++] = {2 * items_.of(half) + gradient, peer, sends};
  }

  void write_program(int rank) {
    const auto& order = schedule_.order[index(rank)];
    auto& program = program_[index(rank)];
    const auto put = [&](const Step& step) {
      if (step.count > 0) program.push_back(step);
    };
    Step exchange;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0 && has_forward(order[i - 1]) == has_forward(order[i])) {
        put(exchange);
        exchange = {};
      }
      add_inputs(order[i], rank, exchange);
      put(exchange);
      Step run;
      run.operation = static_cast<int>(i);
      program.push_back(run);
      exchange = {};
      add_outputs(order[i], rank, exchange);
    }
    put(exchange);
  }

  bool advance(int rank) {
    bool moved = false;
    for (auto& next = next_[index(rank)]; next < program_[index(rank)].size(); ++next, moved = true) {
      const Step& step = program_[index(rank)][next];
      if (!(step.count > 0 ? exchange(step, rank) : run(step.operation, rank))) break;
    }
    return moved;
  }

  // All messages are posted at once; each is done `message` after both ends have posted it.
  bool exchange(const Step& step, int rank) {
    std::int64_t done = now_[index(rank)];
    bool all = true;
    for (int i = 0; i < step.count; ++i) {
      const std::size_t item = static_cast<std::size_t>(step.messages[i].item);
      auto& mine = (step.messages[i].sends ? sent_ : received_)[item];
      const auto theirs = (step.messages[i].sends ? received_ : sent_)[item];
      if (mine == kNotYet) mine = now_[index(rank)];
      if (theirs == kNotYet)
        all = false;
      else
        done = std::max(done, std::max(mine, theirs) + times_.message);
    }
    if (all) now_[index(rank)] = done;
    return all;
  }

  // Inputs from other ranks have been received by the exchange before; those of the rank itself must have been made.
  bool run(int position, int rank) {
    const Operation& o = schedule_.order[index(rank)][index(position)];
    if (!(local_input_missing(o, rank) == kNotYet)) return false;
    const std::int64_t start = now_[index(rank)];
    const std::int64_t end = start + duration(o, times_);
    now_[index(rank)] = end;
    out_.spans[out_.first[index(rank)] + index(position)] = {start, end};
    if (has_forward(o)) made_[static_cast<std::size_t>(2 * items_.of(forward_half(o)))] = end;
    if (has_gradient(o)) made_[static_cast<std::size_t>(2 * items_.of(gradient_half(o)) + 1)] = end;
    return true;
  }

  std::int64_t local_input_missing(const Operation& o, int rank) const {
    const auto missing = [&](const Half& h, int gradient) {
      const std::int64_t item = 2 * items_.of(h) + gradient;
      return placement_.rank_of(h.stage, h.pipe) == rank && made_[static_cast<std::size_t>(item)] == kNotYet ? item
                                                                                                             : kNotYet;
    };
    std::int64_t item = kNotYet;
    if (has_forward(o) && o.stage > 0) item = missing({o.stage - 1, o.micro_batch, o.pipe}, 0);
    if (item != kNotYet || o.kind == OpKind::forward) return item;
    const Half half = gradient_half(o);
    if (o.kind == OpKind::weight_gradient) return missing(half, 1);
    item = missing(half, 0);
    if (item != kNotYet || half.stage + 1 == placement_.stages) return item;
    return missing({half.stage + 1, half.micro_batch, half.pipe}, 1);
  }

  Half half_of(std::int64_t item) const {
    const std::int64_t number = item / 2, row = number / items_.per_pipe();
    return {static_cast<int>(row % placement_.stages), static_cast<int>(number % items_.per_pipe()),
            static_cast<int>(row / placement_.stages)};
  }

  void name_deadlock() {
    for (int rank = 0; rank < placement_.ranks; ++rank) {
      const auto& program = program_[index(rank)];
      std::size_t at = next_[index(rank)];
      if (at == program.size()) continue;
      Blocked blocked;
      blocked.rank = rank;
      Message message{kNotYet, rank, false};
      if (program[at].count == 0) {
        message.item = local_input_missing(schedule_.order[index(rank)][index(program[at].operation)], rank);
      }
      for (int i = program[at].count; i-- > 0;) {
        const Message& m = program[at].messages[i];
        if ((m.sends ? received_ : sent_)[static_cast<std::size_t>(m.item)] == kNotYet) message = m;
      }
      while (at < program.size() && program[at].operation == kNotYet) ++at;
      const auto& order = schedule_.order[index(rank)];
      blocked.position = at < program.size() ? program[at].operation : static_cast<int>(order.size()) - 1;
      blocked.operation = order[index(blocked.position)];
      blocked.waits_for = maker(schedule_, half_of(message.item), message.item % 2 == 1);
      blocked.waits_for_rank = message.peer;
      blocked.sends = message.sends;
      out_.deadlock.push_back(blocked);
    }
  }

  const Schedule& schedule_;
  const StageTimes& times_;
  Items items_;
  const Placement& placement_;
  Replay out_;
  std::vector<std::int64_t> sent_, received_;  // [2·item + gradient] when the end posted it
  std::vector<std::int64_t> made_;             // [2·item + gradient]
  std::vector<std::vector<Step>> program_;     // [rank]
  std::vector<std::size_t> next_;              // [rank]
  std::vector<std::int64_t> now_;              // [rank]
};

}  // namespace

Replay replay_rendezvous(const Schedule& schedule, const StageTimes& times) {
  return BlockingPlayer(schedule, times).play();
}

}  // namespace orrery::schedule
