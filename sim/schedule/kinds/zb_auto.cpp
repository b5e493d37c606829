// Zero bubble by search under a memory cap (Qi et al., "Zero Bubble Pipeline Parallelism", 2023, section 3): list
// schedules over a grid of warm-ups and policies, and the handcrafted orders where they fit; the smallest largest span
// of a rank wins, then the smallest makespan.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "orrery/schedule/replay.hpp"
#include "schedule/kinds/zb_greedy.hpp"

namespace orrery::schedule::kinds {
namespace {

using WarmUp = std::vector<int>;  // [rank] forwards before the first I

// Steps of list scheduling after which a search ends: all of it up to about 16 ranks and 64 micro-batches, the most
// promising part beyond. Counted, not timed, so that the result is the same on every machine.
constexpr std::int64_t kMostSteps = 12'000'000;

class Search {
 public:
  Search(const ScheduleRequest& request, const StageTimes& times, int cap)
      : request_(request), times_(times), cap_(cap), greedy_(request.ranks, request.micro_batches, cap, times) {}

  std::vector<std::vector<Operation>> best() {
    for (const Build handcrafted : {zb_h1, zb_h2}) try_order(handcrafted);
    const std::vector<WarmUp> warm_ups = list_warm_ups();
    using Fill = ZbPolicy::Fill;
    for (const WarmUp& warm_up : warm_ups) {
      for (const Fill fill : {Fill::fitting, Fill::always, Fill::mostly})
        try_policies(warm_up, fill, 0, kMostSteps / 2);
    }
    // Idle budgets up to what the best so far leaves idle: less, and W come late; more, and it is no better.
    const std::int64_t idle = span_ - longest_work();
    for (const WarmUp& warm_up : warm_ups) {
      for (std::int64_t eighth = 0; eighth <= 8; ++eighth)
        try_policies(warm_up, Fill::budget, idle * eighth / 8, kMostSteps);
    }
    return std::move(order_);
  }

 private:
  void try_policies(const WarmUp& warm_up, ZbPolicy::Fill fill, std::int64_t budget, std::int64_t most_steps) {
    using Tie = ZbPolicy::Tie;
    for (const Tie tie : {Tie::gradient, Tie::forward, Tie::forward_below_warm_up}) {
      for (const int ahead : {-1, 0, 1}) {
        if (!order_.empty() && greedy_.steps() > most_steps) return;
        if (!greedy_.run({&warm_up, tie, ahead, fill, budget}, span_)) continue;
        if (better(greedy_.span(), greedy_.makespan())) order_ = greedy_.order();
      }
    }
  }

  void try_order(Build build) {
    Result<Schedule> schedule = build(request_);
    const Replay played = replay(*schedule, times_);
    const int peak = *std::max_element(played.peak_until_weight.begin(), played.peak_until_weight.end());
    if (played.deadlock.empty() && peak <= cap_ && better(played.max_rank_span, played.makespan))
      order_ = schedule->order;
  }

  bool better(std::int64_t span, std::int64_t makespan) {
    if (std::tie(span, makespan) >= std::tie(span_, makespan_)) return false;
    span_ = span, makespan_ = makespan;
    return true;
  }

  std::int64_t longest_work() const {
    std::int64_t most = 0;
    for (std::size_t r = 0; r < times_.forward.size(); ++r) {
      most = std::max(most, times_.forward[r] + times_.input_gradient[r] + times_.weight_gradient[r]);
    }
    return most * request_.micro_batches;
  }

  // As many forwards as fit before the first I can arrive, or one more; and slopes of 1 to 3 forwards a rank in
  // quarters (1 is ZB-H1, 2 is ZB-H2).
  std::vector<WarmUp> list_warm_ups() const {
    std::vector<WarmUp> list;
    for (const bool one_more : {false, true}) add(list, until_first_gradient(one_more));
    const int p = request_.ranks;
    for (int quarters = 0; quarters <= 8; ++quarters) {
      for (const int round : {0, 3}) {
        WarmUp warm_up(at(p));
        for (int r = 0; r < p; ++r) warm_up[at(r)] = p - r + ((p - 1 - r) * quarters + round) / 4;
        add(list, std::move(warm_up));
      }
    }
    return list;
  }

  WarmUp until_first_gradient(bool one_more) const {
    const int p = request_.ranks;
    std::vector<std::int64_t> begin(at(p), 0);
    for (int r = 1; r < p; ++r) begin[at(r)] = begin[at(r - 1)] + times_.forward[at(r - 1)] + times_.message;
    WarmUp warm_up(at(p));
    std::int64_t arrives = begin[at(p - 1)] + times_.forward[at(p - 1)];
    for (int r = p - 1; r >= 0; --r) {
      const std::int64_t length = std::max<std::int64_t>(1, times_.forward[at(r)]);
      const std::int64_t count = (arrives - begin[at(r)] + (one_more ? length - 1 : 0)) / length;
      warm_up[at(r)] = static_cast<int>(std::clamp<std::int64_t>(count, 1, std::min(cap_, request_.micro_batches)));
      arrives =
          std::max(arrives, begin[at(r)] + warm_up[at(r)] * length) + times_.input_gradient[at(r)] + times_.message;
    }
    return warm_up;
  }

  // A rank cannot run forwards that the rank before it keeps back.
  void add(std::vector<WarmUp>& list, WarmUp warm_up) const {
    int most = std::min(cap_, request_.micro_batches);
    for (int& count : warm_up) most = count = std::clamp(count, 1, most);
    if (std::find(list.begin(), list.end(), warm_up) == list.end()) list.push_back(std::move(warm_up));
  }

  const ScheduleRequest& request_;
  const StageTimes& times_;
  int cap_;
  ZbGreedy greedy_;
  std::int64_t span_ = std::numeric_limits<std::int64_t>::max() / 4, makespan_ = span_;
  std::vector<std::vector<Operation>> order_;
};

Result<Schedule> with_cap(const ScheduleRequest& request, double micro_batches) {
  ScheduleRequest capped = request;
  capped.memory_cap = micro_batches;
  return zb_auto(capped);
}

}  // namespace

Result<Schedule> zb_auto(const ScheduleRequest& request) {
  const double asked = request.memory_cap == 0 ? request.ranks : request.memory_cap;
  if (!(asked >= 1)) {
    return refusal(fmt::format("{} needs memory for at least 1 micro-batch, not {}", request.name, asked));
  }
  const int cap = asked < request.micro_batches ? static_cast<int>(asked) : request.micro_batches;
  const StageTimes times = request.times.forward.empty() ? uniform_times(request.ranks, 1, 1, 1) : request.times;
  const std::size_t stages = at(request.ranks);
  if (times.forward.size() != stages || times.input_gradient.size() != stages ||
      times.weight_gradient.size() != stages) {
    return refusal(fmt::format("{} needs times for each of its {} stages", request.name, stages));
  }
  Schedule schedule = empty_schedule(request, linear_placement(request.ranks), true);
  schedule.order = Search(request, times, cap).best();
  check(!schedule.order.empty(), "zb_auto found no order");
  return schedule;
}

Result<Schedule> zb_1p(const ScheduleRequest& request) {
  return with_cap(request, request.ranks);
}
Result<Schedule> zb_2p(const ScheduleRequest& request) {
  return with_cap(request, 2.0 * request.ranks);
}

}  // namespace orrery::schedule::kinds
