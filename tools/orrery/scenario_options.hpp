// Options of every subcommand that takes a scenario.
#pragma once
#include <string>
#include <vector>

#include "cli.hpp"
#include "memory_limit.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::cli {

struct ScenarioOptions {
  std::string path;
  std::vector<std::string> sets;
  MemoryLimit memory_limit;
};

inline void add_scenario_options(Arguments& app, ScenarioOptions& options, bool required = true) {
  Argument path = app.add_option("SCENARIO", options.path, "scenario (YAML file, - for standard input)");
  if (required) path.required();
  app.add_option("--set", options.sets, "change a value: KEY.PATH=VALUE, any number of times").repeated();
  add_memory_limit(app, options.memory_limit);
}

}  // namespace orrery::cli
