#include "orrery/schedule/exchange.hpp"

#include <algorithm>

#include "orrery/schedule/placement.hpp"
#include "schedule/replay_state.hpp"

namespace orrery::schedule {
namespace {

class Writer {
 public:
  Writer(const Schedule& schedule, const layout::StageGraph& stages, int rank)
      : order_(schedule.order[index(rank)]),
        placement_(schedule.placement),
        stages_(stages),
        rank_(rank),
        pairs_(placement_.stages * placement_.pipes > placement_.ranks || warms_up_by_two(schedule)) {
    // A list of all forwards, then all backwards, does not say whether its last forward belongs to the warm-up. A
    // warm-up is one pass (interleaved: two) longer than that of the rank that the model reaches next, so the rank that
    // it reaches last tells.
    const std::vector<int> along = ranks_along_model(placement_);
    const auto behind = static_cast<int>(along.end() - std::find(along.begin(), along.end(), rank)) - 1;
    const int forwards = leading_forwards(order_);
    const int warm_up = leading_forwards(schedule.order[index(along.back())]) - 1 + (pairs_ ? 2 : 1) * behind;
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

  // The warm-up of interleaving, also of one chunk (eager 1F1B): two passes longer than that of the next rank. In the
  // exchanges of 1F1B the second would be sent only with the first gradient, so that one pass crosses all ranks at a
  // time.
  static bool warms_up_by_two(const Schedule& schedule) {
    if (schedule.split_backward) return false;
    int most = 0;
    const std::vector<int> along = ranks_along_model(schedule.placement);
    for (std::size_t i = 0; i + 1 < along.size(); ++i)
      most = std::max(most, leading_forwards(schedule.order[index(along[i])]) -
                                leading_forwards(schedule.order[index(along[i + 1])]));
    return most == 2;
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

  // The second needs a gradient to which the first leads: then not both inputs can come beforehand. Behind the forward
  // of a micro-batch that is so of each backward of it that waits for a gradient at all.
  bool feeds(std::size_t forward, std::size_t backward) const {
    const Operation &f = order_[forward], &b = order_[backward];
    return f.micro_batch == b.micro_batch && f.pipe == b.pipe && !stages_.arriving(b.stage, false).empty();
  }

  void receive(const Operation& o) {
    if (has_forward(o)) add(forward_half(o), false, false);
    if (has_gradient(o)) add(gradient_half(o), true, false);
  }
  void send(const Operation& o) {
    if (has_forward(o)) add(forward_half(o), false, true);
    if (has_gradient(o)) add(gradient_half(o), true, true);
  }

  // What leaves or arrives at the stage of a half; what stays on the rank is no message.
  void add(const Half& half, bool gradient, bool sends) {
    for (const std::int32_t e :
         sends ? stages_.leaving(half.stage, !gradient) : stages_.arriving(half.stage, !gradient)) {
      const layout::StageEdge& edge = stages_.edge(e);
      const int maker = edge.source(!gradient), other = sends ? edge.target(!gradient) : maker;
      const int peer = placement_.rank_of(other, half.pipe);
      if (peer != rank_) program_.messages.push_back({e, maker, half.micro_batch, half.pipe, gradient, sends, peer});
    }
  }

  // Ends the exchange under way.
  void close() {
    const auto count = static_cast<std::int32_t>(program_.messages.size());
    if (count > posted_) program_.steps.push_back({-1, posted_, count - posted_});
    posted_ = count;
  }

  const std::vector<Operation>& order_;
  const Placement& placement_;
  const layout::StageGraph& stages_;
  int rank_;
  bool pairs_, all_warm_up_ = false;
  std::int32_t posted_ = 0;  // messages of exchanges that are closed
  BlockingProgram program_;
};

}  // namespace

BlockingProgram blocking_program(const Schedule& schedule, const layout::StageGraph& stages, int rank) {
  return Writer(schedule, stages, rank).write();
}

}  // namespace orrery::schedule
