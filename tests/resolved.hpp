// A scenario through the door and played.
#pragma once
#include "orrery/scenario/simulate.hpp"

namespace orrery::scenario {

inline Result<report::RunResult> resolve_and_simulate(const Scenario& scenario, const RunOptions& options = {},
                                                      const ResolveOptions& how = {}) {
  const Result<Run> run = resolve(scenario, Catalogue::shared(), how);
  if (!run.ok()) return run.errors();
  return simulate(*run, options);
}

}  // namespace orrery::scenario
