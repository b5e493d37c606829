#include "orrery/planning/sweep_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "best_layout.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/planning/model_kinds.hpp"
#include "orrery/planning/scaling.hpp"

namespace orrery::planning {
namespace {

constexpr std::int64_t kSequence = 4096;
constexpr double kYears = 3;  // at the peak of all GPUs: `auto` tries no number of them that takes longer

// `peak` of a GPU, `flops` of the run, 6·N·D.
Result<std::vector<int>> gpus_of(const SweepPlan& plan, const hardware::ClusterSpec& cluster, double peak,
                                 double flops) {
  const int most = cluster.nodes * cluster.gpus_per_node;
  for (const int n : plan.gpus)
    if (n > most)
      return wrong_option(
          "--gpus", fmt::format("{} is more than the {} of {}", grouped_text(n), grouped_text(most), plan.cluster),
          fmt::format("take at most {}, or another cluster (orrery list clusters)", most));
  if (!plan.gpus.empty()) return plan.gpus;
  std::vector<int> all;
  for (int n = cluster.gpus_per_node; n <= most; n *= 2) all.push_back(n);
  const auto takes_too_long = [&](int n) { return flops > peak * n * kYears * 365 * kSecondsPerDay; };
  all.erase(all.begin(), std::find_if_not(all.begin(), all.end() - 1, takes_too_long));
  return all;
}

// Said, or the largest power of two that is not beyond the critical batch at the loss that is predicted.
Diagnostics set_batch(SweepPlan& plan, double parameters, DType half, std::string& assumed, Catalogue& catalogue) {
  const std::string in =
      fmt::format("in sequences of {}, {}, stack megatron-2024", plan.sequence_length, name_of(half));
  const auto text = [&] { return count_text(static_cast<double>(plan.batch_tokens)); };
  if (plan.batch_tokens > 0) {
    if (plan.batch_tokens < plan.sequence_length)
      return {wrong_option("--batch-tokens",
                           fmt::format("{} are less than a sequence of {}", text(), plan.sequence_length),
                           "take more, or --sequence-length of less")};
    assumed = fmt::format("Assumed: {} tokens a step {}", text(), in);
    return {};
  }
  const auto table = load_scaling(catalogue);
  if (!table.ok()) return table.errors();
  if (table->critical_batch.tokens <= 0)
    return {wrong_option("--batch-tokens", "is missing: the scaling laws have no critical_batch",
                         "such as --batch-tokens 4M")};
  const double loss = table->hoffmann().loss(parameters, plan.run.tokens), most = table->critical_batch.at(loss);
  plan.batch_tokens = plan.sequence_length;
  while (static_cast<double>(plan.batch_tokens) * 2 <= most) plan.batch_tokens *= 2;
  assumed = fmt::format(
      "Assumed: {} tokens a step {}. The critical batch at the predicted loss of {:.3g} is {} tokens ({}); more "
      "tokens a step, such as --batch-tokens {}, take less time where there are many GPUs, and more steps of data",
      text(), in, loss, count_text(most), table->critical_batch.source, 2 * plan.batch_tokens);
  return {};
}

const Figure* figure(const Answer& answer, const std::string& key) {
  for (const Figure& f : answer.parts.front().figures)
    if (f.key == key) return &f;
  return nullptr;
}

Result<Answer> table_of(const SweepPlan& plan, const std::vector<BestLayout>& all) {
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
  for (const BestLayout& f : all) {
    auto& row = table.rows.emplace_back();
    row.push_back({std::int64_t{f.gpus}, grouped_text(f.gpus)});
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
                            fmt::format("{} GPUs, {}", grouped_text(cheapest), money_text(least))});
  answer.parts.push_back(std::move(part));
  return answer;
}

}  // namespace

Result<Answer> plan_layouts(const SweepPlan& asked, Catalogue& catalogue) {
  SweepPlan plan = asked;
  const auto model = model::load_model(plan.model, catalogue);
  if (!model.ok()) return named(model.errors(), "--model");
  const std::int64_t usual = model->has_two_stacks() ? kSequence / 8 : kSequence;  // T5: 512 (Raffel et al. 2020)
  if (plan.sequence_length == 0)
    plan.sequence_length = model->max_positions > 0 ? std::min<std::int64_t>(usual, model->max_positions) : usual;
  const auto parameters = static_cast<double>(model::active_parameters(*model));
  const auto cluster = hardware::load_cluster(plan.cluster, catalogue);
  if (!cluster.ok()) return named(cluster.errors(), "--cluster");
  const auto gpu = hardware::gpu_of(*cluster, catalogue);
  if (!gpu.ok()) return gpu.errors();
  const DType half = half_of(*gpu);
  const auto gpus = gpus_of(plan, *cluster, gpu->peak_16_bit(), flops_per(*model) * parameters * plan.run.tokens);
  if (!gpus.ok()) return gpus.errors();
  std::string assumed;
  if (Diagnostics errors = set_batch(plan, parameters, half, assumed, catalogue); !errors.empty()) return errors;
  std::vector<BestLayout> all;
  for (const int n : *gpus) {
    auto found = best_layout({plan.model, plan.cluster, n, plan.sequence_length,
                              plan.batch_tokens / (plan.sequence_length * (model->has_two_stacks() ? 2 : 1)), half,
                              model->experts.count > 0},
                             catalogue);
    if (!found.ok()) return found.errors();
    all.push_back(std::move(found).value());
    if (plan.progress) plan.progress(all.size(), gpus->size());
  }
  const bool one = all.size() == 1 && all.front().why.empty();
  Result<Answer> answer = one ? plan_run({all.front().scenario, all.front().result}, plan.run) : table_of(plan, all);
  if (!answer.ok()) return answer;
  std::vector<std::string>& notes = answer.value().notes;
  if (one) notes.insert(notes.begin(), "Layout: " + all.front().layout + ".");
  notes.push_back(assumed + ".");
  notes.emplace_back("Of some layouts the best; `orrery sweep` goes over more than those tried here.");
  return answer;
}

}  // namespace orrery::planning
