#include "orrery/schedule/validate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/schedule/csv.hpp"
#include "schedule/replay_state.hpp"

namespace orrery::schedule {
namespace {

enum Seen : std::uint8_t { kForward = 1, kGradient = 2, kWeight = 4, kAll = 7 };
constexpr std::size_t kMostErrors = 20;  // one mistake early in a list is often thousands

class Checker {
 public:
  explicit Checker(const Schedule& schedule)
      : schedule_(schedule), items_(schedule), seen_(items_.count(), std::uint8_t{0}) {}

  Diagnostics run() {
    for (int rank = 0; rank < schedule_.placement.ranks; ++rank) {
      const auto& order = schedule_.order[index(rank)];
      for (std::size_t i = 0; i < order.size(); ++i) look_at(rank, static_cast<int>(i), order[i]);
    }
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      if (seen_[i] != kAll) name_missing(i);
    }
    return std::move(errors_);
  }

 private:
  void look_at(int rank, int position, const Operation& o) {
    if (has_forward(o)) mark(rank, position, o, forward_half(o), kForward);
    switch (o.kind) {
      case OpKind::forward:
        break;
      case OpKind::input_gradient:
        mark(rank, position, o, gradient_half(o), kGradient);
        break;
      case OpKind::weight_gradient:
        mark(rank, position, o, gradient_half(o), kWeight);
        break;
      case OpKind::backward:
      case OpKind::overlapped:
        mark(rank, position, o, gradient_half(o), kGradient | kWeight);
        break;
    }
  }

  void mark(int rank, int position, const Operation& o, const Half& half, int bits) {
    if (!items_.in_range(half)) {
      return error(rank, position, o,
                   fmt::format("is out of range: stages 0-{}, micro-batches 0-{}", schedule_.placement.stages - 1,
                               items_.per_pipe() - 1));
    }
    const int home = schedule_.placement.rank_of(half.stage, half.pipe);
    if (home != rank) {
      return error(rank, position, o, fmt::format("belongs on rank {}, which holds stage {}", home, half.stage));
    }
    std::uint8_t& seen = seen_[static_cast<std::size_t>(items_.of(half))];
    if ((seen & bits) != 0) return error(rank, position, o, "runs a second time");
    if (bits != kForward && (seen & kForward) == 0) return error(rank, position, o, "stands before its forward");
    if (bits == kWeight && (seen & kGradient) == 0) return error(rank, position, o, "stands before its I");
    seen = static_cast<std::uint8_t>(seen | bits);
  }

  void name_missing(std::size_t item) {
    const std::size_t per_pipe = index(items_.per_pipe()), stages = index(schedule_.placement.stages);
    Operation o;
    o.stage = static_cast<int>(item / per_pipe % stages);
    o.micro_batch = static_cast<int>(item % per_pipe);
    o.pipe = static_cast<int>(item / per_pipe / stages);
    const int missing = kAll & ~seen_[item];
    o.kind = (missing & kForward) != 0          ? OpKind::forward
             : missing == (kGradient | kWeight) ? OpKind::backward
             : (missing & kGradient) != 0       ? OpKind::input_gradient
                                                : OpKind::weight_gradient;
    push(fmt::format("rank {}: {} is missing", schedule_.placement.rank_of(o.stage, o.pipe), to_string(o)));
  }

  void error(int rank, int position, const Operation& o, const std::string& what) {
    push(fmt::format("rank {}, position {}: {} {}", rank, position, to_string(o), what));
  }
  void push(std::string message) {
    if (errors_.size() > kMostErrors) return;
    if (errors_.size() == kMostErrors) message = "and more";
    errors_.push_back({{}, "schedule", std::move(message), {}, {}});
  }

  const Schedule& schedule_;
  Items items_;
  std::vector<std::uint8_t> seen_;  // [item] bits of Seen
  Diagnostics errors_;
};

// Empty = placement, order and micro-batches fit each other.
std::string misfit(const Schedule& s, int stages) {
  const Placement& p = s.placement;
  const bool ranks_ok = p.ranks > 0 && s.order.size() == index(p.ranks);
  const bool stages_ok = p.stages > 0 && p.pipes > 0 && p.rank.size() == index(p.stages) * index(p.pipes);
  const bool held = std::all_of(p.rank.begin(), p.rank.end(), [&](int r) { return r >= 0 && r < p.ranks; });
  if (!ranks_ok || !stages_ok || !held || stages != p.stages) return "placement and order do not fit each other";
  if (s.micro_batches < p.pipes || s.micro_batches % p.pipes != 0) return "micro-batches do not divide over the pipes";
  return {};
}

Diagnostics one(std::string message) {
  Diagnostics errors(1);
  errors[0].path = "schedule";
  errors[0].message = std::move(message);
  return errors;
}

}  // namespace

Diagnostics validate(const Schedule& schedule) {
  return validate(schedule, layout::stage_chain(std::max(schedule.placement.stages, 0)));
}

Diagnostics validate(const Schedule& schedule, const layout::StageGraph& stages) {
  if (std::string wrong = misfit(schedule, stages.stages()); !wrong.empty()) return one(std::move(wrong));
  if (Diagnostics errors = Checker(schedule).run(); !errors.empty()) return errors;
  const std::vector<Blocked> deadlock = find_deadlock(schedule, stages);
  if (deadlock.empty()) return {};
  std::string message =
      fmt::format("deadlock: {} of {} ranks wait for ever", deadlock.size(), schedule.placement.ranks);
  for (const Blocked& blocked : deadlock) message += "\n  " + to_string(blocked);
  return one(std::move(message));
}

}  // namespace orrery::schedule
