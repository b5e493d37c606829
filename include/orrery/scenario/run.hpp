// The door: the only way from a scenario to something that can be simulated. Whoever has a scenario goes through it,
// the YAML reader and `validate` as well as a program that fills one in by itself.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "orrery/core/catalogue.hpp"
#include "orrery/program/lower.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

struct ResolveOptions {
  // What network auto means; automatic: flows where that is quick, else steady. Sweeps say steady.
  NetworkModeChoice automatic = NetworkModeChoice::automatic;
  std::optional<Bytes> memory_limit = {};  // see RunOptions
  bool evaluated = false;  // the run is for evaluate(), which keeps no accounts and so needs less memory
  // Told what begins, where it may take minutes (the search for a schedule).
  std::function<void(std::string_view)> phase = {};
};

// A scenario that was found to be right, and all that was made of it, by value. Only resolve() makes one.
class Run {
 public:
  const Scenario& scenario() const { return scenario_; }  // every default filled in
  const program::StepInput& input() const { return input_; }
  const std::string& why_network() const { return why_network_; }  // network auto: what it is, and why; else empty

 private:
  friend struct RunMaker;
  Run(Scenario scenario, program::StepInput input, std::string why_network)
      : scenario_(std::move(scenario)), input_(std::move(input)), why_network_(std::move(why_network)) {}

  Scenario scenario_;
  program::StepInput input_;
  std::string why_network_;
};

// All that is wrong with the scenario, at the places it was read from if it was. What it does not say of its model,
// cluster, GPU, kernels and stack is missing: load_model, load_cluster, gpu_of, kernels_of and load_stack give them.
Result<Run> resolve(const Scenario& scenario, Catalogue& catalogue, const ResolveOptions& options = {});

// A scenario as YAML says it, resolved: all errors at once, with their places in the tree.
Result<Run> read_run(const YamlTree& tree, Catalogue& catalogue, const ResolveOptions& options = {});
// A file ("-" = standard input) with `--set key.path=value` laid over it: as YAML, and as a run.
Result<YamlTree> scenario_tree(const std::string& path, const std::vector<std::string>& sets);
Result<Run> load_run(const std::string& path, const std::vector<std::string>& sets, Catalogue& catalogue,
                     const ResolveOptions& options = {});
// The scenario of the run alone.
Result<Scenario> read_scenario(const YamlTree& tree, const ResolveOptions& options = {});
// `text` is one YAML document; `name` stands for its file in errors.
Result<Scenario> read_scenario_text(std::string text, const std::string& name);
Result<Scenario> load_scenario(const std::string& path, const std::vector<std::string>& sets,
                               const ResolveOptions& options = {});

}  // namespace orrery::scenario
