#include "orrery/planning/run_plan.hpp"

#include <fmt/format.h>

#include <cmath>

#include "long_run.hpp"
#include "orrery/core/show.hpp"
#include "orrery/planning/model_kinds.hpp"
#include "orrery/report/numbers.hpp"

namespace orrery::planning {
namespace {

struct Totals {
  std::int64_t steps = 0;
  Seconds stepping{}, whole{};
  std::optional<AnswerPart> losses{};  // of a scenario that says what stops it
  double flops = 0, gpu_hours = 0;
};

Result<Totals> totals_of(const PlayedRun& run, const RunPlan& plan) {
  Totals t;
  t.steps = static_cast<std::int64_t>(std::ceil(plan.tokens / static_cast<double>(run.result.tokens)));
  t.stepping = run_time(t.steps, run.result.timeline.step_time);
  const double beside = static_cast<double>(t.stepping.value) * (plan.evaluation_percent + plan.restarts_percent) / 100;
  Seconds running = t.stepping;
  if (run.result.long_run) {
    Result<LongRun> lost = long_run_of(*run.result.long_run, t.stepping, plan);
    if (!lost.ok()) return lost.errors();
    running = lost->time, t.losses = std::move(lost->part);
  }
  t.whole = running + plan.preparation + whole_seconds(beside);
  t.flops = static_cast<double>(t.steps) * static_cast<double>(run.result.flops.model.total());
  t.gpu_hours = static_cast<double>(run.result.gpus) * static_cast<double>(t.whole.value) / 3600;
  return t;
}

AnswerPart simulated(const PlayedRun& run, const RunPlan& plan, const Totals& t) {
  const report::Metrics m = report::metrics_of(run.result);
  return {
      "",
      "By the simulated step",
      {{"flops", t.flops, "training compute", flops_text(t.flops), "by operator, attention in full, no recomputation"},
       {"petaflop_days", t.flops / kPetaflopDay, "petaFLOP/s-days", petaflop_days_text(t.flops)},
       {"step_time_s", m.step_time_s, "step time", report::seconds_text(m.step_time_s),
        fmt::format("MFU {:.1f} %, {} tokens", 100 * m.mfu, grouped_text(static_cast<double>(run.result.tokens)))},
       {"verdict", std::string(report::name_of(m.verdict)), "memory", std::string(report::name_of(m.verdict))},
       {"corpus_bytes", plan.tokens * plan.bytes_per_token, "text of the tokens",
        corpus_text(plan.tokens * plan.bytes_per_token), fmt::format("{:g} bytes a token", plan.bytes_per_token)},
       {"steps", t.steps, "steps", grouped_text(static_cast<double>(t.steps))},
       {"days", static_cast<double>(t.whole.value) / kSecondsPerDay, "time", seconds_text(t.whole)},
       {"gpu_hours", t.gpu_hours, "GPU hours", grouped_text(t.gpu_hours)}}};
}

void add_money(const PlayedRun& run, const RunPlan& plan, const Totals& t, AnswerPart& part, Answer& answer) {
  const hardware::Gpu& gpu = run.scenario.gpu;
  const double price = plan.price_usd_per_hour.value_or(gpu.price_usd_per_hour);
  part.figures.push_back({"cost_usd", price * t.gpu_hours, "cost", money_text(price * t.gpu_hours),
                          fmt::format("${:.2f} a GPU hour", price)});
  answer.notes.push_back(plan.price_usd_per_hour ? "Price: as given."
                                                 : fmt::format("Price of {}: {}; --price gives another.", gpu.name,
                                                               safe_to_show(gpu.price_source, Shown::one_line)));
  const int watts = plan.power_watts.value_or(gpu.power_watts);
  if (watts == 0) {
    answer.notes.push_back("No energy: the power of the GPU is not known; --power gives it.");
    return;
  }
  const double mwh = t.gpu_hours * watts / 1e6;
  part.figures.push_back({"energy_mwh", mwh, "energy",
                          fmt::format("{} MWh", mwh < 1000 ? fmt::format("{:.3g}", mwh) : grouped_text(mwh)),
                          fmt::format("{} W a GPU, boards alone, all the time", watts)});
}

AnswerPart thumb(const PlayedRun& run, const RunPlan& plan, const Totals& t, double price) {
  const auto parameters = static_cast<double>(model::active_parameters(run.scenario.model));
  const double per = flops_per(run.scenario.model), flops = per * parameters * plan.tokens;
  const double rate = run.result.peak_flops_per_second * plan.efficiency;
  const double hours = flops / rate / 3600;
  const report::Metrics m = report::metrics_of(run.result);
  return {"rule_of_thumb",
          fmt::format("By the rule of thumb, {}·N·D at {:g} % of the peak", per, 100 * plan.efficiency),
          {{"flops", flops, "training compute", flops_text(flops),
            fmt::format("{:+.1f} %: the rule has no attention, and counts the embedding", 100 * (flops / t.flops - 1))},
           {"gpu_hours", hours, "GPU hours", grouped_text(hours),
            fmt::format("{:+.1f} %: MFU is {:.1f} %, not {:g} %", 100 * (hours / t.gpu_hours - 1), 100 * m.mfu,
                        100 * plan.efficiency)},
           {"days", hours / static_cast<double>(run.result.gpus) / 24, "time",
            seconds_text(whole_seconds(3600 * hours / static_cast<double>(run.result.gpus)))},
           {"cost_usd", hours * price, "cost", money_text(hours * price)}}};
}

void add_beside(const RunPlan& plan, bool failures, Answer& answer) {
  std::string none, some;
  const auto say = [&](bool is, const std::string& name, const std::string& text) {
    std::string& list = is ? some : none;
    list += (list.empty() ? "" : ", ") + (is ? text : name);
  };
  say(plan.preparation.value > 0, "preparation of data", "preparation " + seconds_text(plan.preparation));
  say(plan.evaluation_percent > 0, "evaluation", fmt::format("evaluation {:g} %", plan.evaluation_percent));
  if (failures)
    say(true, "", "failures, by the scenario");
  else
    say(plan.restarts_percent > 0, "restarts", fmt::format("restarts {:g} %", plan.restarts_percent));
  if (!some.empty()) answer.notes.push_back("Counted beside the steps: " + some + ".");
  if (!none.empty()) answer.notes.push_back("Not counted: " + none + " (--preparation, --evaluation, --restarts).");
}

Diagnostic too_late(const RunPlan& plan, const PlayedRun& run, const Totals& t) {
  const double factor = static_cast<double>(t.whole.value) / static_cast<double>(plan.deadline->value);
  return wrong_option(
      "--deadline",
      fmt::format("{} is too soon: {} GPUs take {}", seconds_text(*plan.deadline), run.result.gpus,
                  seconds_text(t.whole)),
      fmt::format("relax it, take {} tokens, or a scenario {:.3g} times as fast, which is at least {} GPUs",
                  count_text(plan.tokens / factor), factor,
                  grouped_text(std::ceil(static_cast<double>(run.result.gpus) * factor))));
}

}  // namespace

Result<Answer> plan_run(const PlayedRun& run, const RunPlan& plan) {
  const double price = plan.price_usd_per_hour.value_or(run.scenario.gpu.price_usd_per_hour);
  if (price <= 0)
    return wrong_option("--price",
                        fmt::format("is missing: nobody has written down a price of {}", run.scenario.gpu.name),
                        "write --price 2.50, dollars for one GPU and hour, or price_usd_per_hour in its YAML");
  if (run.result.long_run && plan.restarts_percent > 0)
    return wrong_option("--restarts", "is said, and the scenario has a section reliability",
                        "leave one of them out: the section counts failures one by one");
  if (!run.result.long_run && plan.played_runs > 0)
    return wrong_option("--play", "needs failures to play, and the scenario says nothing of them",
                        "--set reliability=llama3-2024, or a section of your own (orrery list reliability)");
  const Result<Totals> totals = totals_of(run, plan);
  if (!totals.ok()) return totals.errors();
  const Totals& t = *totals;
  if (plan.deadline && t.whole > *plan.deadline) return too_late(plan, run, t);
  Answer answer{"orrery.plan/1", fmt::format("{} tokens: {}", count_text(plan.tokens), run.result.title)};
  AnswerPart part = simulated(run, plan, t);
  add_money(run, plan, t, part, answer);
  answer.parts.push_back(std::move(part));
  if (t.losses) answer.parts.push_back(*t.losses);
  answer.parts.push_back(thumb(run, plan, t, price));
  add_beside(plan, t.losses.has_value(), answer);
  answer.yes = report::metrics_of(run.result).fits();
  if (!answer.yes)
    answer.notes.insert(answer.notes.begin(), "The step does not fit into the memory of the GPUs: no such run.");
  return answer;
}

}  // namespace orrery::planning
