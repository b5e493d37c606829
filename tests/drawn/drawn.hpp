// Small scenarios drawn at random over all that a scenario can say.
#pragma once
#include <map>
#include <string>

#include "orrery/scenario/run.hpp"

namespace orrery::testing {

struct Drawn {
  std::string text;
  std::map<std::string, std::string> choices;  // what was drawn for stack, launch, messages, network and schedule
  scenario::Scenario scenario;
};

// The i-th of a seed. Stacks and schedules take turns, so that each is drawn as often as any other; all else is drawn
// until it is a scenario (where a schedule deadlocks with the messages drawn, say, all but stack and schedule is drawn
// again).
Drawn draw_scenario(std::uint64_t seed, int i);

// How many to draw where `usual` are: in proportion to ORRERY_DRAWS, which is 408 unless the environment says another
// number (fewer under the sanitizers, thousands at night).
int draws(int usual = 408);

}  // namespace orrery::testing
