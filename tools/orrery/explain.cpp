// orrery explain SCENARIO --layout: where the parts of a run lie on its cluster, without playing it.
#include "orrery/planning/explain.hpp"

#include <memory>

#include "answer.hpp"
#include "scenario_options.hpp"

namespace orrery::cli {

Action add_explain(Arguments& app, const Console& console) {
  auto options = std::make_shared<ScenarioOptions>();
  auto json = std::make_shared<bool>(false);
  auto layout = std::make_shared<bool>(false);
  add_scenario_options(app, *options);
  app.add_flag("--layout", *layout,
               "which GPU holds which layers and slice, which groups talk over which links (default)");
  app.add_flag("--json", *json, "one JSON object instead of the drawing");
  return [options, json, &console] {
    const Result<scenario::Run> run =
        scenario::load_run(options->path, options->sets, Catalogue::shared(), {.memory_limit = options->memory_limit});
    if (!run.ok()) return console.refuse(run.errors());
    return print_answer(planning::explain_layout(*run), *json, console);
  };
}

}  // namespace orrery::cli
