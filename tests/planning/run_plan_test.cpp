// What a training run takes: counted by hand from a step of a round length.
#include "orrery/planning/run_plan.hpp"

#include "answers.hpp"
#include "orrery/model/spec.hpp"
#include "simulated.hpp"

namespace orrery::planning::run_plan_test {
namespace {

constexpr const char* kScenario =
    "model: gpt2\n"
    "cluster: {type: selene, nodes: 1}\n"
    "layout: {data: 8}\n"
    "training: {sequence_length: 1024, global_batch: 16, micro_batch: 2, precision: bf16}\n"
    "network: ideal\n"
    "stack: megatron-2024\n";

// 8 GPUs of 400 W at 2 dollars, whose step of 16 · 1024 = 16 384 tokens takes 1.5 s.
struct Round {
  scenario::Scenario scenario = value_of(scenario::read_scenario_text(kScenario, "test.yaml"));
  report::RunResult result = scenario::simulated(kScenario);
  Round() {
    result.timeline.step_time = Time{1'500'000'000'000};
    scenario.gpu.price_usd_per_hour = 2;
    scenario.gpu.power_watts = 400;
    scenario.gpu.price_source = "somebody, some day";
  }
  Result<Answer> plan(const RunPlan& what) const { return plan_run({scenario, result}, what); }
};

constexpr double kTokens = 100'000 * 16'384.0;  // of 100 000 steps: 150 000 s

TEST_CASE("steps, days, GPU hours, money and energy follow from one step") {
  const Round round;
  const Answer a = value_of(round.plan({kTokens}));
  CHECK(number(a, "steps") == 100'000);
  CHECK(number(a, "days") == doctest::Approx(150'000 / 86'400.0));
  CHECK(number(a, "gpu_hours") == doctest::Approx(8 * 150'000 / 3600.0));     // 333.3
  CHECK(number(a, "cost_usd") == doctest::Approx(2 * 8 * 150'000 / 3600.0));  // 666.67
  CHECK(figure(a, "cost_usd").text == "$666.67");
  CHECK(number(a, "energy_mwh") == doctest::Approx(333.333333 * 400 / 1e6));  // 0.133
  CHECK(number(a, "flops") ==
        doctest::Approx(100'000 * static_cast<double>(round.result.flops.model.total())).epsilon(1e-12));
  CHECK(number(a, "petaflop_days") == doctest::Approx(number(a, "flops") / 8.64e19));
  CHECK(number(a, "corpus_bytes") == 4 * kTokens);
  CHECK(a.yes);
  CHECK(says(a, "Price of a100-sxm-80gb: somebody, some day"));
  CHECK(says(a, "Not counted: preparation of data, evaluation, restarts"));
}

TEST_CASE("the rule counts the parameters that a token meets") {
  Round round;
  const auto rule = [&] { return number(value_of(round.plan({kTokens})), "flops", "rule_of_thumb"); };
  CHECK(rule() == 6 * kTokens * static_cast<double>(model::parameter_count(round.scenario.model)));
  // Two of eight experts each token is sent to.
  round.scenario.model.experts.count = 8;
  round.scenario.model.experts.top_k = 2;
  round.scenario.model.experts.hidden = 3072;
  CHECK(rule() == 6 * kTokens * static_cast<double>(model::active_parameters(round.scenario.model)));
  CHECK(rule() < 6 * kTokens * static_cast<double>(model::parameter_count(round.scenario.model)));
}

TEST_CASE("a token more takes a step more") {
  const Round round;
  CHECK(number(value_of(round.plan({kTokens + 1})), "steps") == 100'001);
  CHECK(number(value_of(round.plan({1})), "steps") == 1);
}

TEST_CASE("preparation, evaluation and restarts are counted where they are said, and named") {
  const Round round;
  RunPlan plan{kTokens};
  plan.preparation = Seconds{50'000};
  plan.evaluation_percent = 4;
  plan.restarts_percent = 6;
  // 150 000 · 1.1 + 50 000 = 215 000 s.
  const Answer a = value_of(round.plan(plan));
  CHECK(number(a, "days") == doctest::Approx(215'000 / 86'400.0));
  CHECK(number(a, "gpu_hours") == doctest::Approx(8 * 215'000 / 3600.0));
  CHECK(says(a, "Counted beside the steps: preparation 13.9 h, evaluation 4 %, restarts 6 %."));
  for (const std::string& note : a.notes) CHECK(note.find("Not counted") == std::string::npos);
}

// A failure every 10 h that takes an hour to be noticed and mended, checkpoints of 30 s every 1 500 s (1 000 steps):
// 100 intervals, each expected to take 10 h · e^(1/10) · (e^(1530/36000) − 1) = 1 727.7 s.
TEST_CASE("what stops a run is counted cause by cause, and played") {
  Round round;
  reliability::Plan run;
  run.job.causes = {{1 / 36'000.0, 3600, false}};
  run.job.interval = 1500, run.job.hold = 30, run.steps = 1000, run.checkpoint = 30;
  round.result.long_run = run;
  RunPlan what{kTokens};
  what.played_runs = 2000;
  const Answer a = value_of(round.plan(what));
  const double expected = 100 * 36'000 * std::exp(0.1) * std::expm1(1530 / 36'000.0);
  CHECK(number(a, "days") == doctest::Approx(expected / 86'400).epsilon(1e-4));
  CHECK(number(a, "goodput", "long_run") == doctest::Approx(150'000 / expected));
  CHECK(number(a, "checkpoints_s", "long_run") == 3000);
  CHECK(number(a, "failures", "long_run") == doctest::Approx(expected / 36'000));
  CHECK(std::abs(number(a, "played_mean_s", "long_run") - expected) <
        3 * number(a, "played_standard_error_s", "long_run"));
  CHECK(says(a, "Counted beside the steps: failures, by the scenario"));
  CHECK(says(a, "Not counted: preparation of data, evaluation ("));
  const double without = number(value_of(Round().plan({kTokens})), "cost_usd");
  CHECK(number(a, "cost_usd") == doctest::Approx(without * expected / 150'000).epsilon(1e-4));

  what.restarts_percent = 5;
  CHECK(round.plan(what).errors().front().path == "--restarts");
  what.restarts_percent = 0;
  CHECK(Round().plan(what).errors().front().path == "--play");
  round.result.long_run->job.causes = {{1, 3600, false}};
  CHECK(round.plan(what).errors().front().message == "such a run never ends: it fails before a checkpoint is written");
}

TEST_CASE("price and power that are given stand before those of the GPU") {
  const Round round;
  RunPlan plan{kTokens, 3.0, 700};
  const Answer a = value_of(round.plan(plan));
  CHECK(number(a, "cost_usd") == doctest::Approx(1000));
  CHECK(number(a, "energy_mwh") == doctest::Approx(333.333333 * 700 / 1e6));
  CHECK(says(a, "Price: as given."));
}

TEST_CASE("without a price there is no plan, without a power no energy") {
  Round round;
  round.scenario.gpu.price_usd_per_hour = 0;
  round.scenario.gpu.power_watts = 0;
  const Diagnostic wrong = mistake_of(round.plan({kTokens}));
  CHECK(wrong.path == "--price");
  CHECK(wrong.help.find("--price 2.50") != std::string::npos);
  const Answer a = value_of(round.plan({kTokens, 2.0}));
  CHECK_FALSE(has_figure(a, "energy_mwh"));
  CHECK(says(a, "No energy"));
}

TEST_CASE("the rule of thumb beside it counts 6·N·D at part of the peak") {
  const Round round;
  RunPlan plan{kTokens};
  plan.efficiency = 0.25;
  const Answer a = value_of(round.plan(plan));
  // GPT-2 has 124 439 808 parameters; an A100 312 TFLOP/s.
  const double flops = 6 * 124'439'808.0 * kTokens, hours = flops / (312e12 * 0.25) / 3600;
  CHECK(number(a, "flops", "rule_of_thumb") == doctest::Approx(flops));
  CHECK(number(a, "gpu_hours", "rule_of_thumb") == doctest::Approx(hours));
  CHECK(number(a, "days", "rule_of_thumb") == doctest::Approx(hours / 8 / 24));
  CHECK(number(a, "cost_usd", "rule_of_thumb") == doctest::Approx(2 * hours));
  // The difference is explained by attention and MFU.
  CHECK(figure(a, "flops", "rule_of_thumb").remark.find("no attention") != std::string::npos);
  CHECK(figure(a, "gpu_hours", "rule_of_thumb").remark.find("not 25 %") != std::string::npos);
}

TEST_CASE("a deadline that holds changes nothing; one that does not says what to relax") {
  const Round round;
  RunPlan plan{kTokens};
  plan.deadline = Seconds{150'000};
  CHECK(value_of(round.plan(plan)).yes);
  plan.deadline = Seconds{75'000};  // twice too soon
  const Diagnostic wrong = mistake_of(round.plan(plan));
  CHECK(wrong.path == "--deadline");
  CHECK(wrong.message == "20.8 h is too soon: 8 GPUs take 41.7 h");
  CHECK(wrong.help == "relax it, take 819.2 M tokens, or a scenario 2 times as fast, which is at least 16 GPUs");
}

TEST_CASE("a step that does not fit is planned, and the answer is no") {
  Round round;
  round.result.usable_memory = Bytes{1};
  const Answer a = value_of(round.plan({kTokens}));
  CHECK_FALSE(a.yes);
  CHECK(a.notes.front().find("no such run") != std::string::npos);
  CHECK(figure(a, "verdict").text == "does_not_fit");
}

TEST_CASE("runs of centuries are counted in seconds, where picoseconds end at 106 days") {
  Round round;
  round.result.timeline.step_time = Time{9'000'000'000'000'000'000};  // 104 days a step
  const Answer a = value_of(round.plan({kTokens}));
  CHECK(number(a, "days") == doctest::Approx(100'000 * 9e6 / 86'400));
}

}  // namespace
}  // namespace orrery::planning::run_plan_test
