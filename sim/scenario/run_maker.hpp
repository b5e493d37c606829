// Makes runs: resolve() does, and tests of what a run is made of.
#pragma once
#include "orrery/scenario/run.hpp"

namespace orrery::scenario {

struct RunMaker {
  static Run make(Scenario scenario, program::StepInput input, std::string why_network) {
    return {std::move(scenario), std::move(input), std::move(why_network)};
  }
  // The same with other words for the same GPUs and links: nothing is read again.
  static Result<Run> again(const Run& run, Scenario changed);
};

}  // namespace orrery::scenario
