// Plays a run: everything a report needs comes out.
#pragma once
#include <functional>
#include <optional>
#include <string_view>

#include "orrery/report/run_result.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::scenario {

// These change only the speed of the simulation, never its result.
struct RunOptions {
  bool every_rank = false;    // simulate each rank instead of each class of alike ranks
  bool fuse = true;           // one task per piece of a pass instead of one per kernel
  bool force_events = false;  // play the events even where one pass would do
  int steps = 0;              // played, of which the last is reported; 0 = as many as it takes
  bool record_links = false;  // network.mode flows: keep how much of the links is in use over time
  bool what_if = true;        // play the step again without perturbations, and without blocking messages
  unsigned threads = 0;       // that account for what was played; 0 = all processors where that pays
  std::function<void(std::string_view)> phase = {};  // told what begins, of a run that may take minutes
  // The most bytes the run may be expected to need; beyond, it is refused before they are taken. Empty: 60 % of what
  // the machine, its control group and ulimit leave (core/memory.hpp).
  std::optional<Bytes> memory_limit = {};
};

// What simulate would refuse, in less time: empty where it would not.
Diagnostics check_run(const Run& run, const RunOptions& options = {});

// Keys that the scenario says and that can have no effect in it; they stand in the notes of a run, too.
Diagnostics idle_keys(const Scenario& scenario);

// The tasks and bytes that a run of it is expected to take.
program::Footprint footprint(const Scenario& scenario, const RunOptions& options = {});

Result<report::RunResult> simulate(const Run& run, const RunOptions& options = {});

}  // namespace orrery::scenario
