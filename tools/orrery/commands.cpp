// The subcommands, in the order --help lists them. A new one is a file of its own and a line here.
#include "cli.hpp"

namespace orrery::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> list{
      {"run", "Simulate one training step of a scenario", add_run},
      {"check", "Say what is wrong with a scenario", add_check},
      {"compare", "Rank the pipeline schedules for a scenario at equal memory", add_compare},
      {"sweep", "Play every layout of a space and rank them", add_sweep},
      {"plan", "Compute, time, money and energy of a training run, from a model or a budget", add_plan},
      {"fit", "Say whether a model fits into a GPU's memory, and what would make it", add_fit},
      {"explain", "Draw which GPU holds what; say what the step waits for, what a layer costs", add_explain},
      {"glossary", "Say what a word means, with a run's figure", add_glossary},
      {"tune", "Find the best layout of a scenario, and say why", add_tune},
      {"diff", "Show two scenarios side by side", add_diff},
      {"trace", "Compare two steps kernel by kernel, simulated or measured", add_trace},
      {"init", "Write a scenario with every key explained", add_init},
      {"list", "List the models, GPUs, clusters, schedules or stacks there are", add_list},
      {"schedule", "Draw pipeline schedules", add_schedule},
      {"topology", "Say what a cluster's network consists of", add_topology},
      {"collective", "Time collectives on a cluster", add_collective},
      {"schema", "Print the JSON Schema of scenarios, for editors", add_schema},
      {"validate", "Hold the simulator against a table of measurements", add_validate},
      {"completion", "Print the completion script of a shell", add_completion},
  };
  return list;
}

}  // namespace orrery::cli
