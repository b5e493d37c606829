// How many micro-batches each replica takes, and the schedules they run.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "orrery/hardware/topology.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

// Of the replica that has most micro-batches, and, where they are unlike, of each.
struct Schedules {
  std::shared_ptr<const schedule::Schedule> fullest;
  std::vector<std::shared_ptr<const schedule::Schedule>> of_replicas;
};

using ScheduleOf = std::function<Result<std::shared_ptr<const schedule::Schedule>>(std::int64_t micro_batches)>;

// Of the numbers of micro-batches that are said or chosen; before those of batch_split balanced are, of the mean
// replica a number that every schedule takes.
Result<Schedules> schedules_of(const Scenario& scenario, const ScheduleOf& schedule);

// Of batch_split balanced, and fills in how many micro-batches each replica has.
// A replica that takes t of each on its slowest pipeline rank and f on all of them one after the other takes
// f + (m − 1) · t for m of them; the numbers are those under which the last is done soonest, of equals lower replicas
// have more. They are multiples of 1, 2 or the pipeline's degree, the first that the schedule takes.
Result<Schedules> balanced_schedules(Scenario& scenario, const schedule::Placement& stages,
                                     const hardware::Topology& topology, const ScheduleOf& schedule);

}  // namespace orrery::scenario
