// orrery glossary [TERM] [SCENARIO]: what words mean, with the figures of a run.
#include "orrery/planning/glossary.hpp"

#include <memory>

#include "answer.hpp"
#include "orrery/scenario/simulate.hpp"

namespace orrery::cli {
namespace {

struct GlossaryCommand {
  std::string term, scenario;
  bool json = false;
};

int run(const GlossaryCommand& o, const Console& console) {
  if (o.scenario.empty()) return print_answer(planning::explain_terms(o.term, nullptr), o.json, console);
  const auto ready = scenario::load_run(o.scenario, {}, Catalogue::shared());
  if (!ready.ok()) return console.refuse(ready.errors());
  const auto played = scenario::simulate(*ready);
  if (!played.ok()) return console.refuse(played.errors());
  const planning::PlayedRun of{ready->scenario(), *played};
  return print_answer(planning::explain_terms(o.term, &of), o.json, console);
}

}  // namespace

Action add_glossary(Arguments& app, const Console& console) {
  auto o = std::make_shared<GlossaryCommand>();
  app.add_option("TERM", o->term, "word to explain; none: all");
  app.add_option("SCENARIO", o->scenario, "show this run's figures, too");
  app.add_flag("--json", o->json, "one JSON object instead of the text");
  return [o, &console] {
    // One argument that is a file is a scenario: all terms with its figures.
    if (o->scenario.empty() && o->term.ends_with(".yaml")) std::swap(o->term, o->scenario);
    return run(*o, console);
  };
}

}  // namespace orrery::cli
