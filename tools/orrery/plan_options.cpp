#include "plan_options.hpp"

#include <fmt/format.h>

#include "orrery/planning/amounts.hpp"
#include "report_option.hpp"

namespace orrery::cli {
namespace {

using planning::wrong_option;

// Declares options with the questions they belong to, by the first letters of their names.
class Declaring {
 public:
  Declaring(Arguments& app, Questions& questions) : app_(app), questions_(questions) {}
  // `of`: letters out of "trscb", as PlanQuestion has them.
  template <class T>
  Argument option(const char* of, const std::string& name, T& into, const std::string& help) {
    keep(of, name);
    return app_.add_option(name, into, help);
  }
  void flag(const char* of, const std::string& name, bool& into, const std::string& help) {
    keep(of, name);
    app_.add_flag(name, into, help);
  }

 private:
  void keep(std::string_view of, const std::string& name) {
    std::vector<std::size_t> places;
    for (const char letter : of) places.push_back(std::string_view("trscb").find(letter));
    questions_.add(name, places);
  }
  Arguments& app_;
  Questions& questions_;
};

void add_subjects(Declaring& d, PlanCommand& o) {
  d.option("s", "--scenario", o.scenario, "plan this run (YAML file): steps, days, money, energy for --tokens");
  d.option("s", "--set", o.sets, "change a value of the scenario: KEY.PATH=VALUE, any number of times").repeated();
  d.option("rscb", "--tokens", o.tokens, "tokens to train on: 15T; or the size of the text: 60TB");
  d.option("rscb", "--bytes-per-token", o.bytes_per_token, "of text; 4 is usual").range(0.1, 100.0);
  d.option("rscb", "--mix", o.mix, "parts of the tokens in percent: 51/49");
  d.option("b", "--budget", o.budget, "compute or money: 3700PFs-day, 5.76e23, '$2M'");
  d.option("scb", "--deadline", o.deadline, "30d, 6 weeks, 3 months");
  d.option("b", "--law", o.law, "scaling law of a budget: chinchilla, hoffmann-1, hoffmann-2, hoffmann-3, kaplan");
  d.option("rscb", "--data-quality", o.data_quality, "factor on the tokens that are needed, your assumption")
      .range(0.01, 100.0);
  d.option("rcb", "--model", o.model, "model (orrery list models)");
  d.option("rb", "--parameters", o.parameters, "parameters instead of a model: 405B");
  d.option("rb", "--gpu", o.gpu, "GPU (orrery list gpus; with --rule-of-thumb t4, v100, a100)");
  d.option("cb", "--gpus", o.gpus, "how many; with --cluster also several (512,1024) or auto");
  d.option("c", "--cluster", o.cluster, "find the best layout on this cluster (orrery list clusters)");
  d.option("c", "--batch-tokens", o.batch_tokens,
           "tokens of a step, with --cluster: 4M; up to the critical batch of model and tokens");
  d.option("c", "--sequence-length", o.sequence_length,
           "tokens of a sequence, with --cluster; 4096, or what the model has positions for")
      .range(1, 1 << 24);
}

void add_assumptions(Declaring& d, PlanCommand& o) {
  d.option("rscb", "--efficiency", o.efficiency, "part of the peak that is reached; 0.4, of the rule of thumb 0.5");
  d.option("scb", "--price", o.price, "dollars for one GPU and hour, in place of the GPU's").range(0.0, 1e6);
  d.option("sc", "--power", o.power, "watts of one GPU, in place of the GPU's").range(1, 100'000);
  d.option("sc", "--preparation", o.preparation, "time before the first step with the GPUs rented; none");
  d.option("sc", "--evaluation", o.evaluation, "percent of the time of the steps; none").range(0.0, 1000.0);
  d.option("sc", "--restarts", o.restarts, "percent of the time of the steps; none").range(0.0, 1000.0);
  d.option("s", "--play", o.play,
           "play so many random runs beside the expected one, where the scenario has a section reliability")
      .range(0, 10'000'000);
  d.option("s", "--seed", o.seed, "of the random runs").range(0, 1'000'000'000);
  d.option("t", "--table", o.table, "published models and laws: optimal, compute, sample_efficiency or petaflop_day");
  d.flag("r", "--rule-of-thumb", o.rule_of_thumb, "the course notes' arithmetic, with their table of t4, v100, a100");
}

}  // namespace

PlanQuestion PlanCommand::question() const {
  if (!table.empty()) return PlanQuestion::table;
  if (rule_of_thumb) return PlanQuestion::rule_of_thumb;
  if (!scenario.empty()) return PlanQuestion::scenario;
  return cluster.empty() ? PlanQuestion::budget : PlanQuestion::cluster;
}

Diagnostics PlanCommand::mistakes(const Arguments& arguments) const {
  Diagnostics errors = questions.out_of_place(static_cast<std::size_t>(question()), arguments);
  if (efficiency != -1 && !(efficiency > 0 && efficiency <= 1))
    errors.push_back(wrong_option("--efficiency",
                                  fmt::format("is {:g}, allowed is more than 0 and at most 1", efficiency),
                                  "--efficiency 0.5: half of the peak"));
  if (price == 0)
    errors.push_back(wrong_option("--price", "is 0, allowed is more than 0",
                                  "write --price 2.50, or leave it out for the price of the GPU's YAML"));
  if (!model.empty() && !parameters.empty())
    errors.push_back(
        wrong_option("--model", "and --parameters are both said", "write one of them: the size of a model is its own"));
  return errors;
}

void add_plan_options(Arguments& app, PlanCommand& o) {
  Declaring declaring(app, o.questions);
  add_subjects(declaring, o);
  add_assumptions(declaring, o);
  app.add_option("--plot", o.plot,
                 "write the picture as SVG (- for standard output): loss of a budget, days and cost of several --gpus, "
                 "a --table");
  add_report_option(app, o.report);
  app.add_flag("--force", o.force, "replace an existing picture or page");
  app.add_flag("--json", o.json, "one JSON object instead of the text");
  add_memory_limit(app, o.memory_limit);
}

}  // namespace orrery::cli
