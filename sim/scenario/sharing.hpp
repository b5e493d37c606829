// What sharing the links cost, and how much of them was in use.
#pragma once
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/scenario.hpp"
#include "places.hpp"

namespace orrery::scenario {

std::vector<report::SharedTransfers> shared_transfers(const Scenario& scenario, const hardware::Topology& topology,
                                                      const program::Program& program,
                                                      const engine::Timeline& timeline);

std::vector<report::LevelUse> link_use(const hardware::Topology& topology, const program::Program& program,
                                       const engine::Timeline& timeline);

}  // namespace orrery::scenario
