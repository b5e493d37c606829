#include "playing.hpp"

#include <fmt/format.h>

#include <utility>

namespace orrery::scenario {

engine::Timeline timeline_of(const program::StepInput& input, const program::Program& program,
                             const RunOptions& options) {
  if (input.mode == program::NetworkMode::flows)
    return engine::play_events(program, input.topology->links(), options.record_links);
  const bool one_pass = !options.force_events && engine::one_pass_applies(program);
  return one_pass ? engine::evaluate_one_pass(program) : engine::play_events(program);
}

namespace {

// What passes is timed from the start of the last step: the end of the one before, which nothing of it changes. Whether
// steps have settled is seen without it.
engine::Timeline play_last(const program::StepInput& input, program::Program& program, const RunOptions& options,
                           bool& settled) {
  if (!program.stretches.any() || program.steps == 1) {
    engine::Timeline timeline = timeline_of(input, program, options);
    settled = engine::has_settled(program, timeline);
    return timeline;
  }
  program::Stretches stretches = std::exchange(program.stretches, {});
  const engine::Timeline without = timeline_of(input, program, options);
  settled = engine::has_settled(program, without);
  for (Time& begin : stretches.begin) begin += engine::begin_of_last_step(program, without);
  program.stretches = std::move(stretches);
  return timeline_of(input, program, options);
}

}  // namespace

std::optional<engine::Timeline> play_teams(const program::StepInput& input, program::Program& program,
                                           const RunOptions& options, bool& settled) {
  constexpr int kMostTimes = 8;
  for (int times = 0; times < kMostTimes; ++times) {
    engine::Timeline timeline = play_last(input, program, options, settled);
    const auto messages = engine::late_messages(program, timeline);
    if (!messages) return {};
    if (messages->empty()) return timeline;
    engine::retime(program, *messages);
  }
  return {};
}

Result<PlayedStep> lower_and_play(const program::StepInput& input, program::LowerOptions how, const RunOptions& options,
                                  program::Costs& costs) {
  for (;;) {
    Result<program::LoweredStep> lowered = program::lower_step(input, how, costs);
    if (!lowered.ok()) return lowered.errors();
    if (options.phase)
      options.phase(
          fmt::format("playing {} tasks on {} devices", lowered->program.tasks(), lowered->program.devices.size()));
    bool settled = true;
    std::optional<engine::Timeline> timeline = play_teams(input, lowered->program, options, settled);
    if (!timeline) {
      how.level = program::Levelling::all_the_way;
      continue;
    }
    const int steps = lowered->program.steps;
    if (options.steps > 0 || steps >= kMostSteps || settled)
      return PlayedStep{std::move(lowered).value(), *std::move(timeline), settled};
    how.steps = 2 * steps;
  }
}

Result<Time> step_time_of(const program::StepInput& input, const program::LowerOptions& how,
                          const RunOptions& options) {
  RunOptions quiet = options;
  quiet.phase = {}, quiet.record_links = false;
  program::Costs costs;
  const Result<PlayedStep> played = lower_and_play(input, how, quiet, costs);
  if (!played.ok()) return played.errors();
  return played->timeline.step_time;
}

}  // namespace orrery::scenario
