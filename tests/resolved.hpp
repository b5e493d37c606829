// A scenario through the door and played.
#pragma once
#include "orrery/scenario/simulate.hpp"

namespace orrery::scenario {

// Read alone, whatever else the machine's memory is full of.
inline const ResolveOptions kNoLimit{.memory_limit = Bytes{std::int64_t{1} << 50}};

inline Result<report::RunResult> resolve_and_simulate(const Scenario& scenario, const RunOptions& options = {},
                                                      const ResolveOptions& how = {}) {
  const Result<Run> run = resolve(scenario, Catalogue::shared(), how);
  if (!run.ok()) return run.errors();
  return simulate(*run, options);
}

}  // namespace orrery::scenario
