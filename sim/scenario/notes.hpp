// What is said beside the figures of a run: how it was simulated and what of the scenario needs a word.
#pragma once
#include "orrery/scenario/run.hpp"
#include "places.hpp"

namespace orrery::scenario {

// The notes of a run, those on the simulation (RunResult::simulation_notes of them) first. `fold`: alike ranks may have
// been played as one.
void take_notes(const Run& of, const program::LoweredStep& lowered, const Places& places, bool fold,
                report::RunResult& run);

}  // namespace orrery::scenario
