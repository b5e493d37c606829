#include "orrery/schedule/exchange.hpp"

#include "schedule/replay_state.hpp"

namespace orrery::schedule {
namespace {

class Writer {
 public:
  Writer(const Schedule& schedule, int rank)
      : order_(schedule.order[index(rank)]),
        placement_(schedule.placement),
        rank_(rank),
        pairs_(placement_.stages * placement_.pipes > placement_.ranks) {
    // A list of all forwards, then all backwards, does not say whether its last forward belongs to the warm-up. A
    // warm-up is one pass (interleaved: two) longer than that of the next rank, so the last rank tells.
    const int last = placement_.ranks - 1, forwards = leading_forwards(order_);
    const int warm_up = leading_forwards(schedule.order[index(last)]) - 1 + (pairs_ ? 2 : 1) * (last - rank);
    all_warm_up_ = warm_up >= forwards && 2 * index(forwards) == order_.size();
  }

  BlockingProgram write() {
    for (std::size_t first = 0; first < order_.size();) {
      const std::size_t last = pairs_ ? end_of_pair(first) : first + 1;
      if (!pairs_ && first > 0 && apart(order_[first - 1], order_[first])) close();
      for (std::size_t i = first; i < last; ++i) receive(order_[i]);
      close();
      for (std::size_t i = first; i < last; ++i) program_.steps.push_back({static_cast<std::int32_t>(i), 0, 0});
      for (std::size_t i = first; i < last; ++i) send(order_[i]);
      first = last;
    }
    close();
    return std::move(program_);
  }

 private:
  static int leading_forwards(const std::vector<Operation>& order) {
    int count = 0;
    while (index(count) < order.size() && order[index(count)].kind == OpKind::forward) ++count;
    return count;
  }

  // In warm-up and cool-down a pass sends before the next one receives; in between both are one exchange.
  bool apart(const Operation& before, const Operation& after) const {
    return all_warm_up_ || has_forward(before) == has_forward(after);
  }

  // [F, B] or [F, I, W]; a W never needs an exchange of its own.
  std::size_t end_of_pair(std::size_t first) const {
    std::size_t end = first + 1;
    const auto is = [&](std::size_t i, OpKind kind) { return i < order_.size() && order_[i].kind == kind; };
    if (!all_warm_up_ && is(first, OpKind::forward) && (is(end, OpKind::backward) || is(end, OpKind::input_gradient)) &&
        !feeds(first, end)) {
      ++end;
    }
    while (is(end, OpKind::weight_gradient)) ++end;
    return end;
  }

  // The second needs nothing from another rank that the first leads to: only then can both inputs come beforehand.
  bool feeds(std::size_t forward, std::size_t backward) const {
    const Operation &f = order_[forward], &b = order_[backward];
    return f.micro_batch == b.micro_batch && f.pipe == b.pipe && f.stage <= b.stage && b.stage + 1 < placement_.stages;
  }

  void receive(const Operation& o) {
    if (has_forward(o) && o.stage > 0) {
      add({o.stage - 1, o.micro_batch, o.pipe, false, false, placement_.rank_of(o.stage - 1, o.pipe)});
    }
    if (!has_gradient(o)) return;
    const Half half = gradient_half(o);
    if (half.stage + 1 == placement_.stages) return;
    add({half.stage + 1, half.micro_batch, half.pipe, true, false, placement_.rank_of(half.stage + 1, half.pipe)});
  }

  void send(const Operation& o) {
    if (has_forward(o) && o.stage + 1 < placement_.stages) {
      add({o.stage, o.micro_batch, o.pipe, false, true, placement_.rank_of(o.stage + 1, o.pipe)});
    }
    if (!has_gradient(o)) return;
    const Half half = gradient_half(o);
    if (half.stage == 0) return;
    add({half.stage, half.micro_batch, half.pipe, true, true, placement_.rank_of(half.stage - 1, half.pipe)});
  }

  void add(const Message& message) {
    if (message.peer != rank_) program_.messages.push_back(message);
  }

  // Ends the exchange under way.
  void close() {
    const auto count = static_cast<std::int32_t>(program_.messages.size());
    if (count > posted_) program_.steps.push_back({-1, posted_, count - posted_});
    posted_ = count;
  }

  const std::vector<Operation>& order_;
  const Placement& placement_;
  int rank_;
  bool pairs_, all_warm_up_ = false;
  std::int32_t posted_ = 0;  // messages of exchanges that are closed
  BlockingProgram program_;
};

}  // namespace

BlockingProgram blocking_program(const Schedule& schedule, int rank) {
  return Writer(schedule, rank).write();
}

}  // namespace orrery::schedule
