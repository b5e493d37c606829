// What a whole run and an evaluation share: how a step is lowered and played, and the figures that need no account.
#pragma once
#include "orrery/scenario/simulate.hpp"

namespace orrery::scenario {

program::LowerOptions lower_options(const Scenario& s, const RunOptions& options);
engine::Timeline timeline_of(const program::StepInput& input, const program::Program& program,
                             const RunOptions& options);

// Gives the messages of teams the times that come of the timeline (engine::late_messages); none where it does not tell.
std::optional<engine::Timeline> play_teams(const program::StepInput& input, program::Program& program,
                                           const RunOptions& options, bool& settled);

// A step lowered and played: where work crosses from one to the next, as many steps of training as it takes until they
// have settled, at most kMostSteps; RunOptions::steps says another number.
struct PlayedStep {
  program::LoweredStep step;
  engine::Timeline timeline;
  bool settled = true;  // but for what passes
};
// Beyond so many tasks the step is not played again for a sentence of the report.
inline constexpr std::size_t kQuick = 3'000'000;
inline constexpr int kMostSteps = 4 * program::kStepsToSettle;
Result<PlayedStep> lower_and_play(const program::StepInput& input, program::LowerOptions how, const RunOptions& options,
                                  program::Costs& costs);
// The step time alone: no accounts are made.
Result<Time> step_time_of(const program::StepInput& input, const program::LowerOptions& how, const RunOptions& options);

engine::Segments segments_of(const Scenario& s);
// What the scenario and the lowered step say of themselves; takes the Program.
void fill_in(report::RunResult& result, const Run& run, program::LoweredStep&& lowered);

}  // namespace orrery::scenario
