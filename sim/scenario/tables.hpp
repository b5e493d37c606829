// Field tables of the sections that the scenario room owns; the others bring their own.
#pragma once
#include "orrery/core/fields.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

const Fields<layout::Layout>& layout_fields();
const Fields<RoutingChoice>& routing_fields();
const Fields<Training>& training_fields();
const Fields<ScheduleChoice>& schedule_fields();
const Fields<NetworkChoice>& network_fields();
const Fields<Variation>& variation_fields();

// The keys of a scenario, in order. What `sweep` says is read by whoever sweeps over it.
const std::vector<std::string>& section_names();

}  // namespace orrery::scenario
