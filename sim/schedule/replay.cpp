#include "orrery/schedule/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "orrery/schedule/csv.hpp"
#include "schedule/replay_state.hpp"

namespace orrery::schedule {
namespace {

// One pass over a worklist of ranks: each goes on until an input is missing; whoever makes that input puts it back.
class Player {
 public:
  Player(const Schedule& schedule, const layout::StageGraph& stages, const StageTimes& times, bool keeps_spans)
      : schedule_(schedule),
        times_(times),
        items_(schedule),
        placement_(schedule.placement),
        keeps_spans_(keeps_spans) {
    find_ends(stages);
    if (keeps_spans) start_replay(schedule, out_);
    activation_.assign(items_.count(), kNotYet);
    gradient_.assign(items_.count(), kNotYet);
    next_.assign(index(placement_.ranks), 0);
    free_.assign(index(placement_.ranks), 0);
    waits_.assign(index(placement_.ranks), kNotYet);
  }

  Replay play() {
    run();
    finish_replay(schedule_, times_, out_);
    return std::move(out_);
  }

  std::vector<Blocked> deadlock() {
    run();
    return std::move(out_.deadlock);
  }

 private:
  // The stage at the other end of an edge, of a pipe: the first of its items, its rank.
  struct End {
    std::int64_t row;
    std::int32_t rank;
    bool sent;  // the edge is a message
  };

  void find_ends(const layout::StageGraph& stages) {
    for (int pipe = 0; pipe < placement_.pipes; ++pipe)
      for (int stage = 0; stage < placement_.stages; ++stage)
        for (const bool forward : {true, false}) {
          first_end_.push_back(ends_.size());
          for (const std::int32_t e : stages.arriving(stage, forward)) {
            const int from = stages.edge(e).source(forward), rank = placement_.rank_of(from, pipe);
            ends_.push_back({items_.of({from, 0, pipe}), rank, rank != placement_.rank_of(stage, pipe)});
          }
        }
    first_end_.push_back(ends_.size());
  }
  // Of the edges that arrive at the stage of a half forward or backward; those that leave it are those of the other
  // way.
  std::span<const End> ends(const Half& half, bool forward) const {
    const std::size_t row = index(half.pipe * placement_.stages + half.stage), way = 2 * row + (forward ? 0 : 1);
    return {ends_.data() + first_end_[way], first_end_[way + 1] - first_end_[way]};
  }

  void run() {
    for (int rank = placement_.ranks - 1; rank >= 0; --rank) work_.push_back(rank);
    while (!work_.empty()) {
      const int rank = work_.back();
      work_.pop_back();
      advance(rank);
    }
    name_deadlock();
  }

  void advance(int rank) {
    const auto& order = schedule_.order[index(rank)];
    std::size_t& next = next_[index(rank)];
    std::int64_t& free = free_[index(rank)];
    OperationSpan* spans = keeps_spans_ ? out_.spans.data() + out_.first[index(rank)] : nullptr;
    waits_[index(rank)] = kNotYet;
    for (; next < order.size(); ++next) {
      const Operation& operation = order[next];
      std::int64_t start = free;
      const std::int64_t missing = inputs(operation, start);
      if (missing != kNotYet) {
        waits_[index(rank)] = missing;
        return;
      }
      free = start + duration(operation, times_);
      if (spans != nullptr) spans[next] = {start, free};
      if (has_forward(operation)) hand_on(forward_half(operation), false, free);
      if (has_gradient(operation)) hand_on(gradient_half(operation), true, free);
    }
  }

  // Raises `start` to the arrival of the inputs; returns the number of one that is not made yet.
  std::int64_t inputs(const Operation& operation, std::int64_t& start) const {
    if (has_forward(operation)) {
      const std::int64_t missing = arrivals(forward_half(operation), true, start);
      if (missing != kNotYet) return missing;
    }
    if (has_forward(operation) && operation.kind != OpKind::overlapped) return kNotYet;
    const Half half = gradient_half(operation);
    const std::int64_t item = items_.of(half);
    if (operation.kind == OpKind::weight_gradient) {
      return arrive(gradient_, item, 0, start) ? kNotYet : 2 * item + 1;
    }
    if (!arrive(activation_, item, 0, start)) return 2 * item;
    return arrivals(half, false, start);
  }

  // The same of all that other stages make for a half.
  std::int64_t arrivals(const Half& half, bool forward, std::int64_t& start) const {
    for (const End& end : ends(half, forward)) {
      const std::int64_t item = end.row + half.micro_batch;
      if (!arrive(forward ? activation_ : gradient_, item, end.sent ? times_.message : 0, start))
        return 2 * item + (forward ? 0 : 1);
    }
    return kNotYet;
  }

  static bool arrive(const std::vector<std::int64_t>& made, std::int64_t item, std::int64_t takes,
                     std::int64_t& start) {
    const std::int64_t end = made[static_cast<std::size_t>(item)];
    if (end == kNotYet) return false;
    start = std::max(start, end + takes);
    return true;
  }

  void hand_on(const Half& half, bool gradient, std::int64_t end) {
    const std::int64_t item = items_.of(half);
    (gradient ? gradient_ : activation_)[static_cast<std::size_t>(item)] = end;
    for (const End& reader : ends(half, gradient)) {
      if (waits_[index(reader.rank)] != 2 * item + (gradient ? 1 : 0)) continue;
      waits_[index(reader.rank)] = kNotYet;
      work_.push_back(reader.rank);
    }
  }

  void name_deadlock() {
    for (int rank = 0; rank < placement_.ranks; ++rank) {
      const std::int64_t waits = waits_[index(rank)];
      if (waits == kNotYet) continue;
      const std::int64_t item = waits / 2, row = item / items_.per_pipe();
      const Half half{static_cast<int>(row % placement_.stages), static_cast<int>(item % items_.per_pipe()),
                      static_cast<int>(row / placement_.stages)};
      const int position = static_cast<int>(next_[index(rank)]);
      out_.deadlock.push_back({rank, position, schedule_.order[index(rank)][index(position)],
                               maker(schedule_, half, waits % 2 == 1), placement_.rank_of(half.stage, half.pipe),
                               false});
    }
  }

  const Schedule& schedule_;
  const StageTimes& times_;
  Items items_;
  const Placement& placement_;
  std::vector<End> ends_;
  std::vector<std::size_t> first_end_;  // [pipe, stage, way] the first of its ends, and the end of all
  Replay out_;
  std::vector<std::int64_t> activation_, gradient_;  // [item] when it was made
  std::vector<std::size_t> next_;                    // [rank] position
  std::vector<std::int64_t> free_;                   // [rank] end of its last operation
  std::vector<std::int64_t> waits_;                  // [rank] 2·item + gradient it stands still for
  std::vector<int> work_;
  bool keeps_spans_;
};

void count_in_flight(const std::vector<Operation>& order, int& until_weight, int& until_input) {
  int held_until_weight = 0, held_until_input = 0;
  for (const Operation& operation : order) {
    if (has_forward(operation)) {
      until_weight = std::max(until_weight, ++held_until_weight);
      until_input = std::max(until_input, ++held_until_input);
    }
    if (operation.kind == OpKind::backward || operation.kind == OpKind::overlapped)
      --held_until_weight, --held_until_input;
    if (operation.kind == OpKind::input_gradient) --held_until_input;
    if (operation.kind == OpKind::weight_gradient) --held_until_weight;
  }
}

double share(std::int64_t part, std::int64_t ranks, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / (static_cast<double>(ranks) * static_cast<double>(whole));
}

}  // namespace

std::int64_t duration(const Operation& o, const StageTimes& t) {
  switch (o.kind) {
    case OpKind::forward:
      return t.forward[index(o.stage)];
    case OpKind::input_gradient:
      return t.input_gradient[index(o.stage)];
    case OpKind::weight_gradient:
      return t.weight_gradient[index(o.stage)];
    case OpKind::backward:
      return t.input_gradient[index(o.stage)] + t.weight_gradient[index(o.stage)];
    case OpKind::overlapped:
      break;
  }
  if (!t.overlapped.empty()) return t.overlapped[index(o.stage)];
  return t.forward[index(o.stage)] + t.input_gradient[index(o.backward_stage)] +
         t.weight_gradient[index(o.backward_stage)];
}

Operation maker(const Schedule& schedule, const Half& half, bool gradient) {
  Operation guess;
  guess.kind = gradient ? (schedule.split_backward ? OpKind::input_gradient : OpKind::backward) : OpKind::forward;
  guess.stage = half.stage, guess.micro_batch = half.micro_batch, guess.pipe = half.pipe;
  const auto same = [](const Half& a, const Half& b) {
    return a.stage == b.stage && a.micro_batch == b.micro_batch && a.pipe == b.pipe;
  };
  for (const Operation& o : schedule.order[index(schedule.placement.rank_of(half.stage, half.pipe))]) {
    if (gradient ? has_gradient(o) && same(gradient_half(o), half) : has_forward(o) && same(forward_half(o), half))
      return o;
  }
  return guess;
}

void start_replay(const Schedule& schedule, Replay& out) {
  out.ranks = schedule.placement.ranks;
  out.first.reserve(schedule.order.size() + 1);
  out.first.push_back(0);
  for (const auto& order : schedule.order) out.first.push_back(out.first.back() + order.size());
  out.spans.resize(out.first.back());
}

void finish_replay(const Schedule& schedule, const StageTimes& times, Replay& out) {
  out.peak_until_weight.assign(index(out.ranks), 0);
  out.peak_until_input.assign(index(out.ranks), 0);
  for (int rank = 0; rank < out.ranks; ++rank) {
    const auto& order = schedule.order[index(rank)];
    count_in_flight(order, out.peak_until_weight[index(rank)], out.peak_until_input[index(rank)]);
    for (const Operation& operation : order) out.busy += duration(operation, times);
    if (order.empty() || !out.deadlock.empty()) continue;
    const std::int64_t end = out.span(rank, static_cast<int>(order.size()) - 1).end;
    out.makespan = std::max(out.makespan, end);
    out.max_rank_span = std::max(out.max_rank_span, end - out.span(rank, 0).start);
  }
}

double Replay::schedule_bubble_fraction() const {
  return share(idle(), ranks, makespan);
}
double Replay::span_bubble_fraction() const {
  return share(span_idle(), ranks, max_rank_span);
}

std::string to_string(const Blocked& b) {
  return fmt::format("rank {} stands at {} (position {}) {} {} {} rank {}", b.rank, to_string(b.operation), b.position,
                     b.sends ? "sending the result of" : "and waits for", to_string(b.waits_for), b.sends ? "to" : "of",
                     b.waits_for_rank);
}

StageTimes uniform_times(int stages, std::int64_t forward, std::int64_t input_gradient, std::int64_t weight_gradient,
                         std::int64_t message) {
  const std::size_t n = index(stages);
  return {std::vector<std::int64_t>(n, forward),
          std::vector<std::int64_t>(n, input_gradient),
          std::vector<std::int64_t>(n, weight_gradient),
          message,
          {}};
}

Replay replay(const Schedule& schedule, const StageTimes& times, MessageMode mode) {
  return replay(schedule, layout::stage_chain(schedule.placement.stages), times, mode);
}

Replay replay(const Schedule& schedule, const layout::StageGraph& stages, const StageTimes& times, MessageMode mode) {
  const std::size_t count = index(schedule.placement.stages);
  check(times.forward.size() == count && times.input_gradient.size() == count &&
            times.weight_gradient.size() == count && (times.overlapped.empty() || times.overlapped.size() == count),
        "replay: one time per stage");
  check(stages.stages() == schedule.placement.stages, "replay: a graph of the stages of the schedule");
  check(mode != MessageMode::serialised, "replay: messages in the compute stream");
  if (mode == MessageMode::rendezvous) return replay_rendezvous(schedule, stages, times);
  return Player(schedule, stages, times, true).play();
}

std::vector<Blocked> find_deadlock(const Schedule& schedule, const layout::StageGraph& stages) {
  return Player(schedule, stages, uniform_times(schedule.placement.stages, 1, 1, 1), false).deadlock();
}

}  // namespace orrery::schedule
