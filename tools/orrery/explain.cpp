// orrery explain SCENARIO: where the parts of a run lie on its cluster, what its step waits for, what a layer costs.
#include "orrery/planning/explain.hpp"

#include <memory>

#include "answer.hpp"
#include "progress.hpp"
#include "scenario_options.hpp"

namespace orrery::cli {
namespace {

struct ExplainCommand {
  ScenarioOptions scenario;
  bool layout = false, critical_path = false, operators = false, json = false;
};

int explain(const ExplainCommand& o, const Console& console) {
  const ScenarioOptions& in = o.scenario;
  if (o.layout + o.critical_path + o.operators > 1) {
    console.complain("orrery explain: --layout, --critical-path and --operators are three questions",
                     "ask one at a time");
    return kWrong;
  }
  const Result<scenario::Run> run =
      scenario::load_run(in.path, in.sets, Catalogue::shared(), {.memory_limit = in.memory_limit});
  if (!run.ok()) return console.refuse(run.errors());
  if (!o.critical_path && !o.operators) return print_answer(planning::explain_layout(*run), o.json, console);
  Progress progress(console, "explain");
  scenario::RunOptions how;
  how.memory_limit = in.memory_limit;
  how.what_if = false;
  how.phase = [&](std::string_view name) { progress.phase(name); };
  const Result<planning::Answer> answer =
      o.critical_path ? planning::explain_critical_path(*run, how) : planning::explain_operators(*run, how);
  progress.clear();
  return print_answer(answer, o.json, console);
}

}  // namespace

Action add_explain(Arguments& app, const Console& console) {
  auto o = std::make_shared<ExplainCommand>();
  add_scenario_options(app, o->scenario);
  app.add_flag("--layout", o->layout,
               "which GPU holds which layers and slice, which groups talk over which links (default)");
  app.add_flag("--critical-path", o->critical_path,
               "the tasks that the step is as long as, the slack of the rest, and what a tenth more of each resource "
               "saves");
  app.add_flag("--operators", o->operators, "one layer, operator by operator: shape, time, what bounds it");
  app.add_flag("--json", o->json, "one JSON object instead of the text");
  return [o, &console] { return explain(*o, console); };
}

}  // namespace orrery::cli
