// orrery tune SCENARIO: the best layout for the model on the cluster, and why it is no faster.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "orrery/sweep/sweep.hpp"
#include "progress.hpp"
#include "scenario_options.hpp"
#include "sweep_output.hpp"

namespace orrery::cli {
namespace {

struct TuneCommand {
  ScenarioOptions scenario;
  int threads = 0;
  bool json = false;
};

// Where the time of the best goes, most first.
std::string split_text(const sweep::Figures& f) {
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < program::kCategories; ++c)
    if (f.mean_s[c] > 0) order.push_back(c);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return f.mean_s[a] > f.mean_s[b]; });
  std::string text;
  for (const std::size_t c : order)
    text += fmt::format("{}{} {:.1f} %", text.empty() ? "" : ", ", program::kCategoryNames[c],
                        100 * f.mean_s[c] * 1e12 / static_cast<double>(f.step_time_ps));
  return "its time: " + text + "\n";
}

// The section `sweep` of the scenario, else every layout that divides, with and without recomputation.
Result<sweep::Space> space_of(const YamlTree& tree) {
  Result<sweep::Space> space = sweep::read_space(tree, Catalogue::shared());
  if (!space.ok() || !space->dimensions.empty()) return space;
  return sweep::read_space(
      "tensor=auto; context=auto; pipeline=auto; virtual=auto; sequence_parallel=auto; micro_batch=auto; "
      "recompute=none,selective,full",
      tree, Catalogue::shared());
}

Result<sweep::Options> options_of(const TuneCommand& options, const sweep::Space& space) {
  sweep::Options how;
  how.top = 3;
  how.threads = static_cast<unsigned>(options.threads);
  how.sensitivity = true;
  how.memory_limit = options.scenario.memory_limit;
  for (const std::string& text : space.where) {
    Result<sweep::Condition> condition = sweep::Condition::parse(text, "sweep.where");
    if (!condition.ok()) return condition.errors();
    how.where.push_back(std::move(condition).value());
  }
  return how;
}

int run(const TuneCommand& options, const Console& console) {
  const Result<YamlTree> tree = scenario::scenario_tree(options.scenario.path, options.scenario.sets);
  if (!tree.ok()) return console.refuse(tree.errors());
  const Result<sweep::Space> space = space_of(*tree);
  if (!space.ok()) return console.refuse(space.errors());
  Result<sweep::Options> how = options_of(options, *space);
  if (!how.ok()) return console.refuse(how.errors());
  Progress progress(console, "tune");
  how->progress = [&](std::int64_t done, std::int64_t of) {
    progress.update(static_cast<std::size_t>(done), static_cast<std::size_t>(of), "points");
  };
  const Result<sweep::Outcome> outcome = sweep::sweep(*tree, *space, Catalogue::shared(), *how);
  progress.clear();
  if (!outcome.ok()) return console.refuse(outcome.errors());
  const SweepShown shown{options.scenario.path, options.scenario.sets, &*tree, how->top};
  console.print(options.json ? sweep_json(*outcome, shown) : sweep_text(*outcome, shown));
  if (outcome->best.empty()) {
    console.complain("orrery tune: no layout fits", "the nearest, and what it lacks, is said above");
    return kNo;
  }
  if (!options.json) console.print(split_text(outcome->best.front().figures));
  return kOk;
}

}  // namespace

Action add_tune(Arguments& app, const Console& console) {
  auto o = std::make_shared<TuneCommand>();
  add_scenario_options(app, o->scenario);
  app.add_flag("--json", o->json, "one JSON object instead of the text");
  app.add_option("--threads", o->threads, "layouts played at once, default all processors (same result)")
      .range(1, 1024);
  app.footer("Exit code: 0 a layout fits; 1 none does; 2 the input is wrong; 3 a bug in Orrery.");
  return [o, &console] { return run(*o, console); };
}

}  // namespace orrery::cli
