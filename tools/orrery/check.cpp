// orrery check SCENARIO: says what is wrong with a scenario, or nothing.
#include <memory>

#include "orrery/scenario/simulate.hpp"
#include "orrery/sweep/space.hpp"
#include "scenario_options.hpp"

namespace orrery::cli {

Action add_check(Arguments& app, const Console& console) {
  auto options = std::make_shared<ScenarioOptions>();
  auto resolved = std::make_shared<bool>(false);
  add_scenario_options(app, *options);
  app.add_flag("--json", *resolved, "print the scenario with every default, as JSON");
  return [options, resolved, &console] {
    const Result<YamlTree> tree = scenario::scenario_tree(options->path, options->sets);
    if (!tree.ok()) return console.refuse(tree.errors());
    const Result<scenario::Run> run =
        scenario::read_run(*tree, Catalogue::shared(), {.memory_limit = options->memory_limit});
    if (!run.ok()) return console.refuse(run.errors());
    if (const auto space = sweep::read_space(*tree, Catalogue::shared()); !space.ok())
      return console.refuse(space.errors());
    scenario::RunOptions how;
    how.memory_limit = options->memory_limit;
    if (const Diagnostics errors = scenario::check_run(*run, how); !errors.empty()) return console.refuse(errors);
    for (const Diagnostic& note : scenario::idle_keys(run->scenario())) console.say("note: " + render(note));
    if (*resolved) {
      console.print(scenario::to_json(run->scenario()));
    } else {
      console.say(options->path + ": ok\n");
    }
    return kOk;
  };
}

}  // namespace orrery::cli
