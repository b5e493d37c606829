#include "orrery/planning/budget.hpp"

#include <fmt/format.h>

#include <cmath>

#include "orrery/core/yaml.hpp"
#include "orrery/model/presets.hpp"

namespace orrery::planning {
namespace {

// What the budget buys: FLOPs, and with a GPU its hours and money.
struct Means {
  double flops = 0, gpu_hours = 0, usd = 0;
  double price = 0;
  double gpus = 0, seconds = 0;  // 0: not known
  double flops_per_s = 0;        // all through a deadline
};

Diagnostic needs_gpu(const char* why) {
  return wrong_option("--gpu", std::string("is missing: ") + why, "such as --gpu h100-sxm-80gb");
}

Result<Means> means_of(const BudgetPlan& plan) {
  Means m;
  const bool money = plan.budget && plan.budget->usd > 0;
  if (plan.gpu) m.price = plan.price_usd_per_hour.value_or(plan.gpu->price_usd_per_hour);
  if (money && !plan.gpu) return needs_gpu("money buys hours of a GPU");
  if (plan.gpus > 0 && !plan.gpu) return needs_gpu("--gpus says how many, not of what");
  if (plan.price_usd_per_hour && !plan.gpu) return needs_gpu("--price is that of an hour of a GPU");
  if (money && m.price <= 0)
    return wrong_option("--price", fmt::format("is missing: nobody has written down a price of {}", plan.gpu->name),
                        "write --price 2.50, dollars for one GPU and hour");
  const double rate = plan.gpu ? plan.gpu->peak_16_bit() * plan.efficiency : 0;
  if (money) m.flops = plan.budget->usd / m.price * 3600 * rate;
  if (plan.budget && !money) m.flops = plan.budget->flops;
  const double deadline = plan.deadline ? static_cast<double>(plan.deadline->value) : 0;
  if (!plan.budget) {
    if (!plan.gpu) return needs_gpu("a deadline alone is no budget");
    if (plan.gpus == 0)
      return wrong_option("--gpus", "is missing: a deadline alone is no budget", "such as --gpus 1024");
    m.flops = plan.gpus * rate * deadline;
  }
  if (deadline > 0) m.flops_per_s = m.flops / deadline;
  if (rate <= 0) return m;
  m.gpu_hours = m.flops / rate / 3600;
  m.usd = m.gpu_hours * m.price;
  m.gpus = plan.gpus > 0 ? plan.gpus : deadline > 0 ? std::ceil(m.flops / rate / deadline) : 0;
  m.seconds = m.gpus > 0 ? m.flops / rate / m.gpus : 0;
  if (deadline > 0 && m.seconds > deadline * (1 + 1e-9))
    return wrong_option(
        "--deadline",
        fmt::format("{} and the budget cannot both hold: {} GPUs take {} for it", seconds_text(*plan.deadline),
                    plan.gpus, seconds_text(whole_seconds(m.seconds))),
        fmt::format("relax --deadline, take --gpus {:.0f}, or --budget {:.4g}PFs-day",
                    std::ceil(m.seconds / deadline * plan.gpus), m.flops * deadline / m.seconds / kPetaflopDay));
  return m;
}

AnswerPart budget_part(const BudgetPlan& plan, const Means& m) {
  AnswerPart part{"", ""};
  part.figures.push_back({"flops", m.flops, "compute", flops_text(m.flops),
                          fmt::format("{} petaFLOP/s-days", petaflop_days_text(m.flops))});
  part.figures.push_back({"petaflop_days", m.flops / kPetaflopDay, "", ""});
  if (m.flops_per_s > 0 && m.gpus == 0)
    part.figures.push_back({"flops_per_s", m.flops_per_s, "in the deadline",
                            fmt::format("{:.4g} PFLOP/s", m.flops_per_s / 1e15),
                            "run, all the time; --gpu says how many GPUs"});
  if (m.gpu_hours > 0)
    part.figures.push_back({"gpu_hours", m.gpu_hours, "GPU hours", grouped_text(m.gpu_hours),
                            fmt::format("{} at {:g} % of {:.4g} TFLOP/s", plan.gpu->name, 100 * plan.efficiency,
                                        plan.gpu->peak_16_bit() / 1e12)});
  if (m.usd > 0)
    part.figures.push_back({"cost_usd", m.usd, "cost", money_text(m.usd), fmt::format("${:.2f} a GPU hour", m.price)});
  if (m.gpus > 0) {
    part.figures.push_back({"gpus", m.gpus, "GPUs", grouped_text(m.gpus)});
    const Seconds time = whole_seconds(m.seconds);
    part.figures.push_back({"days", m.seconds / kSecondsPerDay, "time", seconds_text(time)});
  }
  return part;
}

// Of dense decoders: what a law says of parameters is of those that every token meets.
std::string nearest_preset(double parameters, Catalogue& catalogue) {
  std::string best;
  double distance = 1e300;
  for (const std::string& name : model::list_models()) {
    const auto model = model::load_model(name, catalogue);
    if (!model.ok() || model->experts.count > 0 || model->kind != model::ModelKind::decoder) continue;
    const double d = std::abs(std::log(static_cast<double>(model::parameter_count(*model)) / parameters));
    if (d < distance) distance = d, best = name;
  }
  return best;
}

AnswerTable law_table(const BudgetPlan& plan, const ScalingTable& table, double flops) {
  AnswerTable out{"laws",
                  "",
                  {{"law", "law", false},
                   {"parameters", "parameters"},
                   {"tokens", "tokens"},
                   {"tokens_per_parameter", "tokens/parameter"},
                   {"loss", "loss"},
                   {"is", "what it is", false}}};
  const auto add = [&](const ScalingLaw& law) {
    const Optimum o = optimum_of(law, flops);
    const double loss = law.name == "kaplan" ? table.kaplan_loss.loss(o.parameters, o.tokens)
                                             : table.hoffmann().loss(o.parameters, o.tokens);
    out.rows.push_back({cell(law.name),
                        {o.parameters, count_text(o.parameters)},
                        {o.tokens, count_text(o.tokens)},
                        {o.tokens / o.parameters, fmt::format("{:.3g}", o.tokens / o.parameters)},
                        {loss, fmt::format("{:.4g}", loss)},
                        cell(law.is)});
  };
  add(*table.find(plan.law));
  for (const ScalingLaw& law : table.laws)
    if (law.name != plan.law) add(law);
  return out;
}

Diagnostic unknown_law(const ScalingTable& table, const std::string& name) {
  std::vector<std::string> known;
  std::string list;
  for (const ScalingLaw& law : table.laws) known.push_back(law.name), list += (list.empty() ? "" : ", ") + law.name;
  return wrong_option("--law", fmt::format("'{}' is not known, allowed are {}", name, list), did_you_mean(name, known));
}

}  // namespace

Optimum chosen_by(const Answer& answer) {
  for (const AnswerPart& part : answer.parts)
    for (const AnswerTable& table : part.tables)
      if (table.key == "laws")
        return {std::get<double>(table.rows[0][1].value), std::get<double>(table.rows[0][2].value)};
  return {};
}

Result<Answer> plan_budget(const BudgetPlan& plan, Catalogue& catalogue) {
  const auto table = load_scaling(catalogue);
  if (!table.ok()) return table.errors();
  const ScalingLaw* law = table->find(plan.law);
  if (law == nullptr) return unknown_law(*table, plan.law);
  const auto means = means_of(plan);
  if (!means.ok()) return means.errors();
  const Optimum best = optimum_of(*law, means->flops);
  const std::string preset = nearest_preset(best.parameters, catalogue);
  Answer answer{"orrery.plan/1", fmt::format("The most of {}: {} parameters on {} tokens", flops_text(means->flops),
                                             count_text(best.parameters), count_text(best.tokens))};
  answer.parts.push_back(budget_part(plan, *means));
  AnswerPart laws{"", ""};
  laws.figures.push_back({"nearest_preset", preset, "nearest preset", preset});
  laws.figures.push_back({"corpus_bytes", best.tokens * plan.bytes_per_token, "text of the tokens",
                          corpus_text(best.tokens * plan.bytes_per_token),
                          fmt::format("{:g} bytes a token", plan.bytes_per_token)});
  laws.tables.push_back(law_table(plan, *table, means->flops));
  if (plan.data_quality != 1)
    laws.figures.push_back({"tokens_at_quality", best.tokens * plan.data_quality, "tokens at your quality factor",
                            count_text(best.tokens * plan.data_quality),
                            fmt::format("x {:g}: your assumption, no law; compute grows alike", plan.data_quality)});
  answer.parts.push_back(std::move(laws));
  answer.notes = {
      law->name + ": " + law->source + ".",
      "Losses of the Hoffmann laws by approach 3, of kaplan by its own: each of their data, not to be compared."};
  if (plan.gpu && !plan.price_usd_per_hour && !plan.gpu->price_source.empty())
    answer.notes.push_back(
        fmt::format("Price of {}: {}; --price gives another.", plan.gpu->name, plan.gpu->price_source));
  return answer;
}

}  // namespace orrery::planning
