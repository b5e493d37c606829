#include "schedule/kinds/zb_greedy.hpp"

#include <algorithm>
#include <limits>

namespace orrery::schedule::kinds {
namespace {

constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::max() / 4;

}  // namespace

ZbGreedy::ZbGreedy(int ranks, int micro_batches, int cap, const StageTimes& times)
    : p_(ranks), m_(micro_batches), cap_(cap), times_(times), kinds_(at(ranks)) {}

void ZbGreedy::reset() {
  ranks_.assign(at(p_), Rank());
  acts_.assign(at(p_), 0);
  forward_end_.assign(at(p_) * at(m_), kUnknown);
  gradient_end_.assign(at(p_) * at(m_), kUnknown);
  for (auto& kinds : kinds_) {
    kinds.clear();
    kinds.reserve(3 * at(m_));
  }
}

// The rank that acts first; the lowest of several. -1: all asleep or done.
int ZbGreedy::next_rank() const {
  std::int64_t first = kUnknown;
  for (const std::int64_t time : acts_) first = std::min(first, time);
  if (first == kUnknown) return -1;
  return static_cast<int>(std::find(acts_.begin(), acts_.end(), first) - acts_.begin());
}

std::int64_t ZbGreedy::forward_arrives(int r) const {
  const int k = ranks_[at(r)].forwards;
  if (k == m_) return kUnknown;
  if (r == 0) return 0;
  const std::int64_t end = forward_end_[item(r - 1, k)];
  return end == kUnknown ? kUnknown : end + times_.message;
}

std::int64_t ZbGreedy::gradient_arrives(int r) const {
  const int k = ranks_[at(r)].gradients;
  if (k == ranks_[at(r)].forwards) return kUnknown;
  if (r + 1 == p_) return forward_end_[item(r, k)];
  const std::int64_t end = gradient_end_[item(r + 1, k)];
  return end == kUnknown ? kUnknown : end + times_.message;
}

bool ZbGreedy::fill_gap(int r, std::int64_t gap, const ZbPolicy& policy) const {
  const std::int64_t length = times_.weight_gradient[at(r)];
  if (length <= gap) return true;
  switch (policy.fill) {
    case ZbPolicy::Fill::fitting:
      return false;
    case ZbPolicy::Fill::always:
      return true;
    case ZbPolicy::Fill::mostly:
      return 2 * gap > length;
    case ZbPolicy::Fill::budget:
      return ranks_[at(r)].idle + gap > policy.budget;
  }
  return false;
}

ZbGreedy::Choice ZbGreedy::choose(int r, const ZbPolicy& policy) const {
  const Rank& rank = ranks_[at(r)];
  const std::int64_t now = rank.now, forward = forward_arrives(r), gradient = gradient_arrives(r);
  const bool holds_another = rank.forwards < m_ && rank.forwards - rank.weights < cap_;
  const int warm_up = (*policy.warm_up)[at(r)], in_flight = rank.forwards - rank.gradients;

  if (rank.gradients == 0 && rank.forwards < warm_up && holds_another && (gradient > now || forward <= now)) {
    return {OpKind::forward, forward, forward <= now};
  }
  const bool wants_forward = holds_another && (policy.ahead < 0 || in_flight < warm_up + policy.ahead);
  const std::int64_t next = std::min(wants_forward ? forward : kUnknown, gradient);
  if (next <= now) {
    const bool both = wants_forward && forward <= now && gradient <= now;
    const bool forward_wins = policy.tie == ZbPolicy::Tie::forward ||
                              (policy.tie == ZbPolicy::Tie::forward_below_warm_up && in_flight < warm_up);
    return {(both ? forward_wins : gradient > now) ? OpKind::forward : OpKind::input_gradient, now, true};
  }
  if (rank.gradients > rank.weights && fill_gap(r, next - now, policy)) return {OpKind::weight_gradient, now, true};
  return {OpKind::forward, next, false};
}

void ZbGreedy::start(int r, OpKind kind) {
  Rank& rank = ranks_[at(r)];
  const std::int64_t begin = rank.now;
  if (rank.first < 0)
    rank.first = begin;
  else
    rank.idle += begin - rank.end;
  kinds_[at(r)].push_back(kind);
  switch (kind) {
    case OpKind::forward:
      rank.end = begin + times_.forward[at(r)];
      forward_end_[item(r, rank.forwards++)] = rank.end;
      if (r + 1 < p_) wake(r + 1, begin);
      break;
    case OpKind::input_gradient:
      rank.end = begin + times_.input_gradient[at(r)];
      gradient_end_[item(r, rank.gradients++)] = rank.end;
      if (r > 0) wake(r - 1, begin);
      break;
    default:
      rank.end = begin + times_.weight_gradient[at(r)];
      ++rank.weights;
  }
  rank.now = rank.end;
}

// A neighbour knows when its input comes: it chooses anew if it is idle.
void ZbGreedy::wake(int r, std::int64_t when) {
  Rank& rank = ranks_[at(r)];
  if (rank.asleep) {
    rank.asleep = false;
    rank.now = std::max(rank.now, when);
  } else if (rank.end <= when && when < rank.now) {
    rank.now = when;
  }
  acts_[at(r)] = rank.weights == m_ ? kUnknown : rank.now;
}

bool ZbGreedy::run(const ZbPolicy& policy, std::int64_t most) {
  reset();
  for (std::size_t left = 3 * at(p_) * at(m_); left > 0;) {
    ++steps_;
    const int r = next_rank();
    if (r < 0) return false;
    Rank& rank = ranks_[at(r)];
    const Choice choice = choose(r, policy);
    if (choice.runs) {
      start(r, choice.kind);
      --left;
      const std::int64_t work = times_.forward[at(r)] + times_.input_gradient[at(r)] + times_.weight_gradient[at(r)];
      if (rank.idle + m_ * work > most) return false;
    } else if (choice.start == kUnknown || choice.start <= rank.now) {
      rank.asleep = true;
    } else {
      rank.now = choice.start;
    }
    acts_[at(r)] = rank.asleep || rank.weights == m_ ? kUnknown : rank.now;
  }
  span_ = makespan_ = 0;
  for (const Rank& rank : ranks_) {
    span_ = std::max(span_, rank.end - rank.first);
    makespan_ = std::max(makespan_, rank.end);
  }
  return true;
}

std::vector<std::vector<Operation>> ZbGreedy::order() const {
  std::vector<std::vector<Operation>> all(at(p_));
  for (int r = 0; r < p_; ++r) {
    int next[3] = {0, 0, 0};
    all[at(r)].reserve(3 * at(m_));
    for (const OpKind kind : kinds_[at(r)]) {
      int& k = next[kind == OpKind::forward ? 0 : kind == OpKind::input_gradient ? 1 : 2];
      Operation operation = forward(r, k++);
      operation.kind = kind;
      all[at(r)].push_back(operation);
    }
  }
  return all;
}

}  // namespace orrery::schedule::kinds
