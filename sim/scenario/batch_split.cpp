#include "batch_split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <tuple>
#include <utility>

#include "places.hpp"
#include "pool_choice.hpp"

namespace orrery::scenario {
namespace {

struct ReplicaTime {
  double first = 0, each = 0;  // of the first micro-batch, of one more
};

// In an arbitrary unit, the same for all: sequences of a micro-batch, and what tensor and context ranks share.
Result<std::vector<ReplicaTime>> replica_times(const Scenario& s, const schedule::Placement& stages,
                                               const hardware::Topology& topology) {
  if (s.pools.empty()) return std::vector<ReplicaTime>(static_cast<std::size_t>(s.layout.data), {1, 1});
  const auto spans = layout::partition_layers(s.model, s.layout);
  if (!spans.ok()) return spans.errors();
  const Result<StagesOnPools> on = stages_on_pools(s, topology);
  if (!on.ok()) return on.errors();
  std::vector<double> flops(static_cast<std::size_t>(s.layout.pipeline));
  for (std::size_t stage = 0; stage < spans->size(); ++stage)
    flops[static_cast<std::size_t>(stages.rank_of(static_cast<int>(stage)))] +=
        static_cast<double>(flops_of_stage(s, (*spans)[stage]));
  std::vector<ReplicaTime> times;
  for (const std::vector<double>& speeds : on->of_replicas) {
    ReplicaTime time;
    for (std::size_t rank = 0; rank < speeds.size(); ++rank) {
      time.first += flops[rank] / speeds[rank];
      time.each = std::max(time.each, flops[rank] / speeds[rank]);
    }
    times.push_back(time);
  }
  return times;
}

// One unit after the other goes to the replica that is done with it soonest: as times only grow with what a replica
// has, no other numbers end sooner. Empty where the batch is no multiple of the unit, or too small for each to have
// one.
Result<std::vector<std::int64_t>> balanced_micro_batches(const Scenario& s, const schedule::Placement& stages,
                                                         const hardware::Topology& topology, std::int64_t unit) {
  const Result<std::vector<ReplicaTime>> times = replica_times(s, stages, topology);
  if (!times.ok()) return times.errors();
  const std::int64_t units = s.training.global_batch / s.training.micro_batch / unit;
  if (units * unit * s.training.micro_batch != s.training.global_batch || units < s.layout.data)
    return std::vector<std::int64_t>();
  std::vector<std::int64_t> counts(times->size(), unit);
  using Next = std::tuple<double, std::size_t>;  // done with one unit more, replica
  std::priority_queue<Next, std::vector<Next>, std::greater<>> soonest;
  const auto ask = [&](std::size_t replica) {
    const ReplicaTime& time = (*times)[replica];
    soonest.emplace(time.first + static_cast<double>(counts[replica] + unit - 1) * time.each, replica);
  };
  for (std::size_t replica = 0; replica < counts.size(); ++replica) ask(replica);
  for (std::int64_t left = units - s.layout.data; left > 0; --left) {
    const std::size_t replica = std::get<1>(soonest.top());
    soonest.pop();
    counts[replica] += unit;
    ask(replica);
  }
  return counts;
}

// Why a replica cannot have its number of micro-batches.
Diagnostics of_replica(const Scenario& s, std::size_t replica, Diagnostics errors) {
  const bool chosen = s.layout.batch_split == layout::BatchSplit::balanced;
  for (Diagnostic& e : errors) {
    e.path = chosen ? "layout.batch_split" : fmt::format("layout.micro_batches_per_replica[{}]", replica);
    e.message = fmt::format("replica {} has {} micro-batches: {}", replica, s.layout.micro_batches_per_replica[replica],
                            e.message);
  }
  return errors;
}

}  // namespace

Result<Schedules> balanced_schedules(Scenario& s, const schedule::Placement& stages, const hardware::Topology& topology,
                                     const ScheduleOf& schedule) {
  Diagnostics refused;
  for (const std::int64_t unit : {1, 2, s.layout.pipeline}) {
    Result<std::vector<std::int64_t>> counts = balanced_micro_batches(s, stages, topology, unit);
    if (!counts.ok()) return counts.errors();
    if (counts->empty()) continue;
    s.layout.micro_batches_per_replica = std::move(counts).value();
    Result<Schedules> schedules = schedules_of(s, schedule);
    if (schedules.ok()) return schedules;
    if (refused.empty()) refused = schedules.errors();
  }
  return refused;
}

Result<Schedules> schedules_of(const Scenario& s, const ScheduleOf& schedule) {
  const std::vector<std::int64_t> counts = s.layout.unlike_micro_batches();
  Schedules all;
  if (counts.empty()) {
    const bool known =
        s.layout.batch_split != layout::BatchSplit::balanced || !s.layout.micro_batches_per_replica.empty();
    const std::int64_t most = s.micro_batches(), unit = known ? 1 : s.layout.pipeline;
    auto made = schedule(checked_mul(ceil_div(most, unit), unit));
    if (!made.ok()) return made.errors();
    all.fullest = std::move(made).value();
    return all;
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto same = static_cast<std::size_t>(std::ranges::find(counts, counts[i]) - counts.begin());
    if (same < i) {
      all.of_replicas.push_back(all.of_replicas[same]);
      continue;
    }
    auto made = schedule(counts[i]);
    if (!made.ok()) return of_replica(s, i, made.errors());
    all.of_replicas.push_back(std::move(made).value());
  }
  all.fullest = all.of_replicas[static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin())];
  return all;
}

}  // namespace orrery::scenario
