// orrery plan: what a training run takes, from a scenario, a budget, or the rule of thumb; and the tables behind it.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>

#include "answer.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/core/file.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/budget.hpp"
#include "orrery/planning/mix.hpp"
#include "orrery/planning/page.hpp"
#include "orrery/planning/rule_of_thumb.hpp"
#include "orrery/planning/run_plan.hpp"
#include "orrery/planning/sweep_plan.hpp"
#include "orrery/scenario/simulate.hpp"
#include "plan_options.hpp"
#include "progress.hpp"
#include "report_option.hpp"

namespace orrery::cli {
namespace {

using namespace planning;

Diagnostic missing(const char* option, const char* like) {
  return wrong_option(option, "is missing", std::string("such as ") + like);
}

template <class T>
std::optional<T> if_said(T value) {
  return value > 0 ? std::optional<T>(value) : std::nullopt;
}

// --parameters 405B, or nothing.
Result<std::optional<double>> parameters_of(const PlanCommand& o) {
  if (o.parameters.empty()) return std::optional<double>();
  const auto count = read_count(o.parameters, {"--parameters", "405B", 1e3});
  if (!count.ok()) return count.errors();
  return std::optional<double>(*count);
}

Result<std::optional<Seconds>> time_of(const char* option, const std::string& text) {
  if (text.empty()) return std::optional<Seconds>();
  auto time = read_deadline(text);
  if (time.ok()) return std::optional<Seconds>(*time);
  Diagnostic wrong = time.errors().front();
  wrong.path = option;
  return wrong;
}

Result<Answer> by_rule_of_thumb(const PlanCommand& o, double tokens) {
  if (o.model.empty() && o.parameters.empty()) return missing("--model", "--model llama3.1-405b, or --parameters 405B");
  const auto parameters = parameters_of(o);
  if (!parameters.ok()) return parameters.errors();
  return thumb_plan({o.model, *parameters, tokens, o.gpu, o.efficiency > 0 ? o.efficiency : 0.5});
}

// "1024" or "512,1024,2048"; "auto" and nothing are an empty list.
Result<std::vector<int>> gpus_of(const PlanCommand& o) {
  std::vector<int> all;
  if (o.gpus == "auto") return all;
  std::istringstream parts(o.gpus.ends_with(",") ? o.gpus + "," : o.gpus);  // nothing behind a comma is a part, too
  for (std::string part; std::getline(parts, part, ',');) {
    std::int64_t count = 0;
    if (!parse_integer(part, count).empty() || count < 1 || count > 1 << 20)
      return wrong_option("--gpus", fmt::format("'{}' is no number of GPUs from 1 to 1048576", part),
                          "such as --gpus 1024, --gpus 512,1024 or --gpus auto");
    if (std::find(all.begin(), all.end(), static_cast<int>(count)) != all.end())
      return wrong_option("--gpus", fmt::format("{} is there twice", part), "leave one of them out");
    all.push_back(static_cast<int>(count));
  }
  return all;
}

// What --scenario and --cluster share.
Result<RunPlan> run_plan_of(const PlanCommand& o, double tokens) {
  const auto deadline = time_of("--deadline", o.deadline), preparation = time_of("--preparation", o.preparation);
  if (!deadline.ok()) return deadline.errors();
  if (!preparation.ok()) return preparation.errors();
  RunPlan plan{tokens, if_said(o.price), if_said(o.power)};
  plan.preparation = preparation->value_or(Seconds{});
  plan.evaluation_percent = o.evaluation;
  plan.restarts_percent = o.restarts;
  plan.played_runs = o.play, plan.seed = static_cast<std::uint64_t>(o.seed);
  plan.deadline = *deadline;
  if (o.efficiency > 0) plan.efficiency = o.efficiency;
  plan.bytes_per_token = o.bytes_per_token;
  return plan;
}

Result<Answer> by_cluster(const PlanCommand& o, double tokens, const Console& console) {
  if (o.model.empty()) return missing("--model", "--model llama3.1-405b");
  const auto plan = run_plan_of(o, tokens);
  const auto gpus = gpus_of(o);
  if (!plan.ok()) return plan.errors();
  if (!gpus.ok()) return gpus.errors();
  SweepPlan sweep{o.model, o.cluster, *gpus};
  if (!o.batch_tokens.empty()) {
    const auto batch = read_count(o.batch_tokens, {"--batch-tokens", "4M", 1});
    if (!batch.ok()) return batch.errors();
    sweep.batch_tokens = static_cast<std::int64_t>(*batch);
  }
  sweep.sequence_length = o.sequence_length;
  sweep.run = *plan;
  Progress progress(console, "plan");
  progress.phase("looking for the best layout");
  sweep.progress = [&](std::size_t done, std::size_t of) { progress.update(done, of, "numbers of GPUs"); };
  return plan_layouts(sweep);
}

Result<Answer> by_scenario(const PlanCommand& o, double tokens) {
  const auto plan = run_plan_of(o, tokens);
  if (!plan.ok()) return plan.errors();
  const auto ready = scenario::load_run(o.scenario, o.sets, Catalogue::shared(), {.memory_limit = o.memory_limit});
  if (!ready.ok()) return ready.errors();
  scenario::RunOptions how;
  how.what_if = false;
  how.memory_limit = o.memory_limit;
  const auto played = scenario::simulate(*ready, how);
  if (!played.ok()) return played.errors();
  return plan_run({ready->scenario(), *played}, *plan);
}

// A budget, a deadline with GPUs, or a size whose compute-optimal training is the budget.
Result<Answer> by_budget(const PlanCommand& o, const std::optional<double>& parameters) {
  BudgetPlan plan;
  if (!o.budget.empty()) {
    const auto budget = read_budget(o.budget);
    if (!budget.ok()) return budget.errors();
    plan.budget = *budget;
  } else if (parameters) {
    plan.budget = Budget{120 * *parameters * *parameters, 0};  // 6·N·20·N
  }
  const auto deadline = time_of("--deadline", o.deadline);
  if (!deadline.ok()) return deadline.errors();
  plan.deadline = *deadline;
  if (!o.gpu.empty()) {
    auto gpu = hardware::load_gpu(o.gpu);
    if (!gpu.ok()) {
      Diagnostics errors = gpu.errors();
      for (Diagnostic& e : errors)
        if (e.place.file.empty()) e.path = "--gpu";
      return errors;
    }
    plan.gpu = *gpu;
  }
  const auto gpus = gpus_of(o);
  if (!gpus.ok()) return gpus.errors();
  if (gpus->size() > 1) return wrong_option("--gpus", "a budget takes one number of GPUs", "write --gpus 1024");
  plan.gpus = gpus->empty() ? 0 : gpus->front();
  if (o.efficiency > 0) plan.efficiency = o.efficiency;
  plan.price_usd_per_hour = if_said(o.price);
  plan.law = o.law;
  plan.data_quality = o.data_quality;
  plan.bytes_per_token = o.bytes_per_token;
  return plan_budget(plan);
}

Result<Answer> with_mix(const PlanCommand& o, double tokens, Result<Answer> answer) {
  if (o.mix.empty() || !answer.ok()) return answer;
  auto part = mix_of(o.mix, tokens);
  if (!part.ok()) return part.errors();
  answer.value().parts.push_back(*std::move(part));
  return answer;
}

// Tokens as they are said, times the data-quality factor.
Result<double> tokens_of(const PlanCommand& o) {
  if (o.tokens.empty()) return missing("--tokens", "--tokens 15T");
  const auto tokens = read_tokens(o.tokens, o.bytes_per_token);
  if (!tokens.ok()) return tokens.errors();
  return *tokens * o.data_quality;
}

Result<Answer> by_tokens(const PlanCommand& o, const Console& console) {
  const auto tokens = tokens_of(o);
  if (!tokens.ok()) return tokens.errors();
  Result<Answer> answer = o.rule_of_thumb       ? by_rule_of_thumb(o, *tokens)
                          : !o.scenario.empty() ? by_scenario(o, *tokens)
                                                : by_cluster(o, *tokens, console);
  if (answer.ok() && o.data_quality != 1)
    answer.value().notes.push_back(
        fmt::format("Tokens are {} times {}: a quality of data that you assume, no law.", o.data_quality, o.tokens));
  return with_mix(o, *tokens, std::move(answer));
}

// What a budget is of: said, or that of a size trained compute-optimally.
Result<Answer> by_means(const PlanCommand& o) {
  const bool means = !o.budget.empty() || !o.deadline.empty();
  if (!o.tokens.empty())
    return means ? wrong_option("--tokens", "follow from a budget",
                                "leave --tokens out, or give a --scenario or --cluster")
                 : missing("--cluster", "--cluster dgx-h100 --gpus 16384; or --scenario FILE, or --rule-of-thumb");
  auto parameters = parameters_of(o);
  if (!parameters.ok()) return parameters.errors();
  if (!o.model.empty()) {
    const auto count = size_of_model(o.model);
    if (!count.ok()) return count.errors();
    parameters = std::optional<double>(*count);
  }
  if (!means && !*parameters)
    return missing("--budget", "--budget 3700PFs-day; or --scenario, --rule-of-thumb, --table");
  if (!o.budget.empty() && *parameters)
    return wrong_option(o.model.empty() ? "--parameters" : "--model", "and --budget are both said",
                        "a budget gives the size, and a size its budget: leave one out");
  Result<Answer> answer = by_budget(o, *parameters);
  if (!answer.ok() || o.mix.empty()) return answer;
  const Optimum best = chosen_by(answer.value());
  return with_mix(o, best.tokens, std::move(answer));
}

Result<Answer> answer_to(const PlanCommand& o, const Arguments& arguments, const Console& console) {
  if (Diagnostics errors = o.mistakes(arguments); !errors.empty()) return errors;
  switch (o.question()) {
    case PlanQuestion::table:
      return planning_table(o.table);
    case PlanQuestion::budget:
      return by_means(o);
    default:
      return by_tokens(o, console);
  }
}

int run(const PlanCommand& o, const Arguments& arguments, const Console& console) {
  if (const Diagnostics wrong = check_report(o.report, o.force); !wrong.empty()) return console.refuse(wrong);
  const auto answer = answer_to(o, arguments, console);
  if (answer.ok() && !o.plot.empty())
    if (const int code = plot_answer(o.plot, *answer, o.force, console); code != kOk) return code;
  if (answer.ok() && !o.report.empty())
    if (const int code = write_report(planning::page_of(*answer), o.report, o.force, console); code != kOk) return code;
  if (answer.ok() && is_standard_output(o.plot)) return answer->yes ? kOk : kNo;
  return print_answer(answer, o.json, console);
}

}  // namespace

Action add_plan(Arguments& app, const Console& console) {
  auto o = std::make_shared<PlanCommand>();
  add_plan_options(app, *o);
  app.footer("Exit code: 0 a plan; 1 its step does not fit into memory; 2 the input is wrong.");
  return [o, app, &console] { return run(*o, app, console); };
}

}  // namespace orrery::cli
