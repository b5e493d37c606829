// Replay with blocking exchanges; the programs of the ranks are in exchange.cpp.
#include <algorithm>

#include "orrery/schedule/exchange.hpp"
#include "schedule/replay_state.hpp"

namespace orrery::schedule {
namespace {

class BlockingPlayer {
 public:
  BlockingPlayer(const Schedule& schedule, const layout::StageGraph& stages, const StageTimes& times)
      : schedule_(schedule), times_(times), items_(schedule), placement_(schedule.placement), stages_(stages) {
    start_replay(schedule, out_);
    made_.assign(2 * items_.count(), kNotYet);
    for (auto* posted : {&sent_, &received_})
      posted->assign(2 * index(placement_.pipes) * stages.edges().size() * index(items_.per_pipe()), kNotYet);
    next_.assign(index(placement_.ranks), 0);
    now_.assign(index(placement_.ranks), 0);
    for (int rank = 0; rank < placement_.ranks; ++rank) programs_.push_back(blocking_program(schedule, stages, rank));
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
  bool advance(int rank) {
    bool moved = false;
    const BlockingProgram& program = programs_[index(rank)];
    for (auto& next = next_[index(rank)]; next < program.steps.size(); ++next, moved = true) {
      const ProgramStep& step = program.steps[next];
      if (!(step.operation < 0 ? exchange(step, rank) : run(step.operation, rank))) break;
    }
    return moved;
  }

  // All messages are posted at once; each is done `message` after both ends have posted it.
  bool exchange(const ProgramStep& step, int rank) {
    std::int64_t done = now_[index(rank)];
    bool all = true;
    for (int i = 0; i < step.message_count; ++i) {
      const Message& message = programs_[index(rank)].messages[index(step.first_message + i)];
      const std::size_t item = item_of(message);
      auto& mine = (message.sends ? sent_ : received_)[item];
      const auto theirs = (message.sends ? received_ : sent_)[item];
      if (mine == kNotYet) mine = now_[index(rank)];
      if (theirs == kNotYet)
        all = false;
      else
        done = std::max(done, std::max(mine, theirs) + times_.message);
    }
    if (all) now_[index(rank)] = done;
    return all;
  }

  // Inputs from other ranks came with the exchange before; those of the rank itself must have been made.
  bool run(int position, int rank) {
    const Operation& o = schedule_.order[index(rank)][index(position)];
    Message missing;
    if (lacks_own_input(o, rank, missing)) return false;
    const std::int64_t start = now_[index(rank)], end = start + duration(o, times_);
    now_[index(rank)] = end;
    out_.spans[out_.first[index(rank)] + index(position)] = {start, end};
    if (has_forward(o)) made_[output_of(forward_half(o), false)] = end;
    if (has_gradient(o)) made_[output_of(gradient_half(o), true)] = end;
    return true;
  }

  bool lacks_own_input(const Operation& o, int rank, Message& missing) const {
    const auto lacks = [&](int stage, const Half& half, bool gradient) {
      missing = {-1, stage, half.micro_batch, half.pipe, gradient, false, rank};
      return placement_.rank_of(stage, half.pipe) == rank &&
             made_[output_of({stage, half.micro_batch, half.pipe}, gradient)] == kNotYet;
    };
    const auto lacks_arrival = [&](const Half& half, bool gradient) {
      const auto edges = stages_.arriving(half.stage, !gradient);
      return std::any_of(edges.begin(), edges.end(),
                         [&](std::int32_t e) { return lacks(stages_.edge(e).source(!gradient), half, gradient); });
    };
    const Half there = forward_half(o), back = gradient_half(o);
    if (o.kind == OpKind::weight_gradient) return lacks(back.stage, back, true);
    if (has_forward(o) && lacks_arrival(there, false)) return true;
    if (!has_gradient(o)) return false;
    return lacks(back.stage, back, false) || lacks_arrival(back, true);
  }

  std::size_t output_of(const Half& half, bool gradient) const {
    return static_cast<std::size_t>(2 * items_.of(half) + (gradient ? 1 : 0));
  }
  std::size_t item_of(const Message& m) const {
    const std::size_t of_edge = index(m.pipe) * stages_.edges().size() + index(m.edge);
    return 2 * (of_edge * index(items_.per_pipe()) + index(m.micro_batch)) + (m.gradient ? 1 : 0);
  }

  void name_deadlock() {
    for (int rank = 0; rank < placement_.ranks; ++rank) {
      const BlockingProgram& program = programs_[index(rank)];
      const auto& order = schedule_.order[index(rank)];
      std::size_t at = next_[index(rank)];
      if (at == program.steps.size()) continue;
      const Message missing = missing_at(program, program.steps[at], rank);
      while (at < program.steps.size() && program.steps[at].operation < 0) ++at;
      Blocked blocked;
      blocked.rank = rank;
      blocked.position = at < program.steps.size() ? program.steps[at].operation : static_cast<int>(order.size()) - 1;
      blocked.operation = order[index(blocked.position)];
      blocked.waits_for = maker(schedule_, {missing.stage, missing.micro_batch, missing.pipe}, missing.gradient);
      blocked.waits_for_rank = missing.peer;
      blocked.sends = missing.sends;
      out_.deadlock.push_back(blocked);
    }
  }

  Message missing_at(const BlockingProgram& program, const ProgramStep& step, int rank) const {
    Message missing;
    if (step.operation >= 0) {
      lacks_own_input(schedule_.order[index(rank)][index(step.operation)], rank, missing);
      return missing;
    }
    for (int i = step.message_count; i-- > 0;) {
      const Message& message = program.messages[index(step.first_message + i)];
      if ((message.sends ? received_ : sent_)[item_of(message)] == kNotYet) missing = message;
    }
    return missing;
  }

  const Schedule& schedule_;
  const StageTimes& times_;
  Items items_;
  const Placement& placement_;
  const layout::StageGraph& stages_;
  Replay out_;
  std::vector<std::int64_t> sent_, received_;  // [item_of] when that end posted the message
  std::vector<std::int64_t> made_;             // [output_of]
  std::vector<BlockingProgram> programs_;      // [rank]
  std::vector<std::size_t> next_;              // [rank] step
  std::vector<std::int64_t> now_;              // [rank]
};

}  // namespace

Replay replay_rendezvous(const Schedule& schedule, const layout::StageGraph& stages, const StageTimes& times) {
  return BlockingPlayer(schedule, stages, times).play();
}

}  // namespace orrery::schedule
