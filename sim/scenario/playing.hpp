// What a whole run and an evaluation share: how a step is lowered and played, and the figures that need no account.
#pragma once
#include "orrery/scenario/simulate.hpp"

namespace orrery::scenario {

program::LowerOptions lower_options(const Scenario& s, const RunOptions& options);
engine::Timeline timeline_of(const program::StepInput& input, const program::Program& program,
                             const RunOptions& options);
engine::Segments segments_of(const Scenario& s);
// What the scenario and the lowered step say of themselves; takes the Program.
void fill_in(report::RunResult& result, const Run& run, program::LoweredStep&& lowered);

}  // namespace orrery::scenario
