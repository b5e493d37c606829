#include "orrery/planning/sweep_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/core/yaml.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/sweep/sweep.hpp"

namespace orrery::planning {
namespace {

// What is tried, of every number of GPUs; data follows. Embedding and head may count as layers, so that numbers of
// layers such as 126 divide.
constexpr const char* kSpace =
    "tensor=1,2,4,8; pipeline=1,2,4,8,16; virtual=1,2,4,8; micro_batch=1,2; recompute=none,full; zero=optimizer; "
    "sequence_parallel=true,false; partition=even,ends_count_as_layers";

constexpr const char* kText = "the scenario of the plan";
constexpr std::int64_t kSequence = 4096;

std::string base_of(const SweepPlan& plan, int gpus) {
  const std::int64_t sequences = std::max<std::int64_t>(1, plan.batch_tokens / plan.sequence_length);
  return fmt::format(
      "model: {}\ncluster: {{type: {}, gpus: {}}}\ntraining: {{sequence_length: {}, global_batch: {}, precision: "
      "bf16}}\n"
      "network: ideal\nstack: megatron-2024\n",
      plan.model, plan.cluster, gpus, plan.sequence_length, sequences);
}

struct Found {
  int gpus = 0;
  std::string layout;  // KEY=VALUE …
  std::string why;     // there is none
  scenario::Scenario scenario;
  report::RunResult result;
};

// Mistakes in what the user said, of the option it was said in; those of a file keep their place.
Diagnostics named(Diagnostics errors, const char* option) {
  for (Diagnostic& e : errors)
    if (e.place.file.empty() || e.place.file == kText) e.path = option, e.place = {}, e.source_line.clear();
  return errors;
}

Result<Found> best_on(const SweepPlan& plan, int gpus, Catalogue& catalogue) {
  const std::string text = base_of(plan, gpus);
  auto tree = read_yaml_text(text, kText);
  if (!tree.ok()) return tree.errors();
  const auto space = sweep::read_space(kSpace, *tree, catalogue);
  if (!space.ok()) return named(space.errors(), "--model");
  sweep::Options how;
  how.top = 1;
  how.threads = 0;
  const auto swept = sweep::sweep(*tree, *space, catalogue, how);
  if (!swept.ok()) return named(swept.errors(), "--model");
  Found found;
  found.gpus = gpus;
  if (swept->best.empty()) {
    found.why = swept->nearest ? fmt::format("nothing fits: {:.3g} GiB lack at the least",
                                             -static_cast<double>(swept->nearest->figures.headroom_bytes) / (1 << 30))
                               : "no layout divides";
    return found;
  }
  const std::vector<std::string> sets = sweep::assignments(swept->best.front(), swept->space, *tree, catalogue);
  for (const std::string& set : sets) {
    if (Diagnostics errors = tree->set(set); !errors.empty()) return errors;
    found.layout += (found.layout.empty() ? "" : " ") + set.substr(set.rfind('.', set.find('=')) + 1);
  }
  const auto run = scenario::read_run(*tree, catalogue);
  if (!run.ok()) return named(run.errors(), "--model");
  scenario::RunOptions quick;
  quick.what_if = false;
  auto result = scenario::simulate(*run, quick);
  if (!result.ok()) return result.errors();
  found.scenario = run->scenario();
  found.result = std::move(result).value();
  return found;
}

Result<std::vector<int>> gpus_of(const SweepPlan& plan, Catalogue& catalogue) {
  const auto cluster = hardware::load_cluster(plan.cluster, catalogue);
  if (!cluster.ok()) return named(cluster.errors(), "--cluster");
  const int most = cluster->nodes * cluster->gpus_per_node;
  for (const int n : plan.gpus)
    if (n > most)
      return wrong_option("--gpus", fmt::format("{} is more than the {} of {}", n, most, plan.cluster),
                          fmt::format("take at most {}, or another cluster (orrery list clusters)", most));
  if (!plan.gpus.empty()) return plan.gpus;
  std::vector<int> all;
  for (int n = cluster->gpus_per_node; n <= most && n <= 1024; n *= 2) all.push_back(n);
  return all;
}

const Figure* figure(const Answer& answer, const std::string& key) {
  for (const Figure& f : answer.parts.front().figures)
    if (f.key == key) return &f;
  return nullptr;
}

Result<Answer> table_of(const SweepPlan& plan, const std::vector<Found>& all) {
  AnswerTable table{"gpus",
                    "",
                    {{"gpus", "GPUs"},
                     {"days", "time"},
                     {"gpu_hours", "GPU hours"},
                     {"cost_usd", "cost"},
                     {"mfu", "MFU"},
                     {"layout", "layout", false}}};
  Answer answer{"orrery.plan/1",
                fmt::format("{} on {} tokens, {}", plan.model, count_text(plan.run.tokens), plan.cluster)};
  int cheapest = 0;
  double least = 0;
  for (const Found& f : all) {
    auto& row = table.rows.emplace_back();
    row.push_back({std::int64_t{f.gpus}, std::to_string(f.gpus)});
    if (!f.why.empty()) {
      for (int i = 0; i < 4; ++i) row.push_back(cell("-"));
      row.push_back(cell(f.why));
      continue;
    }
    RunPlan without = plan.run;
    without.deadline.reset();
    const auto one = plan_run({f.scenario, f.result}, without);
    if (!one.ok()) return one.errors();
    for (const char* key : {"days", "gpu_hours", "cost_usd"})
      row.push_back({figure(*one, key)->value, figure(*one, key)->text});
    const double mfu = report::metrics_of(f.result).mfu, cost = std::get<double>(figure(*one, "cost_usd")->value);
    row.push_back({mfu, fmt::format("{:.1f} %", 100 * mfu)});
    row.push_back(cell(f.layout));
    const bool late = plan.run.deadline && std::get<double>(figure(*one, "days")->value) * kSecondsPerDay >
                                               static_cast<double>(plan.run.deadline->value);
    if (!late && (cheapest == 0 || cost < least)) cheapest = f.gpus, least = cost;
    answer.notes = one->notes;
  }
  if (plan.run.deadline && cheapest == 0)
    return wrong_option("--deadline",
                        fmt::format("{} is too soon for every number of GPUs tried", seconds_text(*plan.run.deadline)),
                        "relax it, or give more --gpus");
  answer.yes = cheapest > 0;
  AnswerPart part{"", "", {}, {std::move(table)}};
  if (cheapest > 0)
    part.figures.push_back({"cheapest_gpus", std::int64_t{cheapest},
                            plan.run.deadline ? "cheapest in time" : "cheapest",
                            fmt::format("{} GPUs, {}", cheapest, money_text(least))});
  answer.parts.push_back(std::move(part));
  return answer;
}

}  // namespace

Result<Answer> plan_layouts(const SweepPlan& asked, Catalogue& catalogue) {
  SweepPlan plan = asked;
  const auto model = model::load_model(plan.model, catalogue);
  if (!model.ok()) return named(model.errors(), "--model");
  if (plan.sequence_length == 0)
    plan.sequence_length =
        model->max_positions > 0 ? std::min<std::int64_t>(kSequence, model->max_positions) : kSequence;
  const auto gpus = gpus_of(plan, catalogue);
  if (!gpus.ok()) return gpus.errors();
  std::vector<Found> all;
  for (const int n : *gpus) {
    auto found = best_on(plan, n, catalogue);
    if (!found.ok()) return found.errors();
    all.push_back(std::move(found).value());
  }
  Result<Answer> answer = all.size() == 1 && all.front().why.empty()
                              ? plan_run({all.front().scenario, all.front().result}, plan.run)
                              : table_of(plan, all);
  if (answer.ok()) {
    if (all.size() == 1 && all.front().why.empty())
      answer.value().notes.insert(answer.value().notes.begin(), "Layout: " + all.front().layout + ".");
    answer.value().notes.push_back(fmt::format(
        "Assumed: {} tokens a step in sequences of {}, bf16, stack megatron-2024; `orrery sweep` goes over more "
        "than the layouts tried here.",
        count_text(static_cast<double>(plan.batch_tokens)), plan.sequence_length));
  }
  return answer;
}

}  // namespace orrery::planning
