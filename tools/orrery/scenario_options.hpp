// Options of every subcommand that takes a scenario.
#pragma once
#include <string>
#include <vector>

#include "cli.hpp"
#include "memory_limit.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::cli {

struct ScenarioOptions {
  std::string path;
  std::vector<std::string> sets;
  MemoryLimit memory_limit;
};

// The scenario as YAML, with each --set.
inline Result<YamlTree> scenario_tree(const std::string& path, const std::vector<std::string>& sets) {
  Result<YamlTree> tree = read_yaml_file(path);
  if (!tree.ok()) return tree;
  Diagnostics errors;
  for (const std::string& assignment : sets)
    for (Diagnostic& e : tree->set(assignment)) errors.push_back(std::move(e));
  if (!errors.empty()) return errors;
  return tree;
}

inline void add_scenario_options(Arguments& app, ScenarioOptions& options, bool required = true) {
  Argument path = app.add_option("SCENARIO", options.path, "scenario (YAML file, - for standard input)");
  if (required) path.required();
  app.add_option("--set", options.sets, "change a value: KEY.PATH=VALUE, any number of times").repeated();
  add_memory_limit(app, options.memory_limit);
}

}  // namespace orrery::cli
