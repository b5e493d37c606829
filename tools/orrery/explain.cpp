// orrery explain SCENARIO --layout: where the parts of a run lie on its cluster, without playing it.
#include "orrery/planning/explain.hpp"

#include <memory>

#include "answer.hpp"
#include "scenario_options.hpp"

namespace orrery::cli {
namespace {

struct ExplainCommand {
  ScenarioOptions scenario;
  bool layout = true, json = false;
};

}  // namespace

Action add_explain(Arguments& app, const Console& console) {
  auto o = std::make_shared<ExplainCommand>();
  add_scenario_options(app, o->scenario);
  app.add_flag("--layout", o->layout,
               "which GPU holds which layers and slice, which groups talk over which links (default)");
  app.add_flag("--json", o->json, "one JSON object instead of the drawing");
  return [o, &console] {
    const ScenarioOptions& in = o->scenario;
    const Result<scenario::Run> run =
        scenario::load_run(in.path, in.sets, Catalogue::shared(), {.memory_limit = in.memory_limit});
    if (!run.ok()) return console.refuse(run.errors());
    return print_answer(planning::explain_layout(*run), o->json, console);
  };
}

}  // namespace orrery::cli
