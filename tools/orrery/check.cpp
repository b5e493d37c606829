// orrery check SCENARIO: says what is wrong with a scenario, or nothing.
#include <memory>

#include "orrery/scenario/simulate.hpp"
#include "scenario_options.hpp"

namespace orrery::cli {

Action add_check(CLI::App& app, const Console& console) {
  auto options = std::make_shared<ScenarioOptions>();
  auto resolved = std::make_shared<bool>(false);
  add_scenario_options(app, *options);
  app.add_flag("--json", *resolved, "print the scenario with every default, as JSON");
  return [options, resolved, &console] {
    const Result<scenario::Scenario> scenario =
        scenario::load_scenario(options->path, options->sets, options->memory_limit);
    if (!scenario.ok()) return console.refuse(scenario.errors());
    scenario::RunOptions how;
    how.memory_limit = options->memory_limit;
    if (const Diagnostics errors = scenario::check_run(*scenario, how); !errors.empty()) return console.refuse(errors);
    for (const Diagnostic& note : scenario::idle_keys(*scenario)) console.say("note: " + render(note));
    if (*resolved) {
      console.print(scenario::to_json(*scenario));
    } else {
      console.say(options->path + ": ok\n");
    }
    return kOk;
  };
}

}  // namespace orrery::cli
