// Rules between sections, beyond what the field tables check: degrees, batch, precision, schedule.
#pragma once
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

// What is wrong with a value, and where it stands.
Diagnostic broken(std::string path, std::string message);
// All that is wrong between the values of a scenario, each of which is allowed by itself.
Diagnostics check_rules(const Scenario& scenario);
// Reads training.routing.file, if there is one, for the model of the scenario.
Diagnostics read_loads(Scenario& scenario);
// The schedule of a replica of so many micro-batches, or why it cannot be.
// `times` of the stages matter to searched schedules only (empty = all alike).
Result<schedule::Schedule> make_schedule(const Scenario& scenario, std::int64_t micro_batches,
                                         const schedule::StageTimes& times = {});
// All that it depends on where it is neither of a file nor searched.
schedule::ScheduleRequest schedule_request(const Scenario& scenario, std::int64_t micro_batches);
// Whether it is found for the times of the stages; those are asked for under a schedule that stands in for it.
bool is_searched(const Scenario& scenario);
Result<schedule::Schedule> stand_in_schedule(const Scenario& scenario);
// Where messages block both ends, not every order of operations gets through.
Diagnostics check_messages(const Scenario& scenario, const schedule::Schedule& made);

}  // namespace orrery::scenario
