// From money, compute and deadlines to a model: counted by hand, on a GPU of 1 PFLOP/s at 2 dollars.
#include "orrery/planning/budget.hpp"

#include <cmath>

#include "answers.hpp"

namespace orrery::planning::budget_test {
namespace {

BudgetPlan plan_of(std::optional<Budget> budget, bool gpu = true) {
  BudgetPlan plan;
  plan.budget = budget;
  plan.efficiency = 0.5;
  if (gpu) {
    plan.gpu.emplace();
    plan.gpu->name = "round";
    plan.gpu->dense_peak[static_cast<std::size_t>(DType::bf16)] = {1'000'000'000'000'000};
    plan.gpu->price_usd_per_hour = 2;
  }
  return plan;
}

TEST_CASE("money buys GPU hours, and these FLOPs") {
  // $3.6M at $2 are 1.8e6 hours of 0.5e15 FLOP/s: 1.8e6 · 3600 · 5e14 = 3.24e24.
  const Answer a = value_of(plan_budget(plan_of(Budget{0, 3.6e6})));
  CHECK(number(a, "flops") == doctest::Approx(3.24e24));
  CHECK(number(a, "gpu_hours") == doctest::Approx(1.8e6));
  CHECK(number(a, "cost_usd") == doctest::Approx(3.6e6));
  CHECK(number(a, "petaflop_days") == doctest::Approx(37'500));
  // N = √(C/120) = 1.643e11, D = 20 N.
  const Optimum best = chosen_by(a);
  CHECK(best.parameters == doctest::Approx(std::sqrt(3.24e24 / 120)));
  CHECK(best.tokens == doctest::Approx(20 * best.parameters));
  CHECK(number(a, "corpus_bytes") == doctest::Approx(80 * best.parameters));
}

TEST_CASE("a deadline says how many GPUs a budget takes, and GPUs how long it takes them") {
  BudgetPlan plan = plan_of(Budget{4.32e22, 0});  // 5e14 FLOP/s for 1000 days
  plan.deadline = Seconds{10 * kSecondsPerDay};
  CHECK(number(value_of(plan_budget(plan)), "gpus") == 100);
  plan.deadline.reset();
  plan.gpus = 250;
  const Answer a = value_of(plan_budget(plan));
  CHECK(number(a, "days") == doctest::Approx(4));
  plan.deadline = Seconds{4 * kSecondsPerDay};  // just holds
  CHECK(plan_budget(plan).ok());
  plan.deadline = Seconds{2 * kSecondsPerDay};
  const Diagnostic wrong = mistake_of(plan_budget(plan));
  CHECK(wrong.message == "2 days and the budget cannot both hold: 250 GPUs take 4 days for it");
  CHECK(wrong.help == "relax --deadline, take --gpus 500, or --budget 250PFs-day");
}

TEST_CASE("GPUs and a deadline are a budget") {
  BudgetPlan plan = plan_of({});
  plan.deadline = Seconds{10 * kSecondsPerDay};
  plan.gpus = 100;
  CHECK(number(value_of(plan_budget(plan)), "flops") == doctest::Approx(4.32e22));
}

TEST_CASE("without a GPU a deadline says the rate it takes") {
  BudgetPlan plan = plan_of(Budget{8.64e22, 0}, false);
  plan.deadline = Seconds{10 * kSecondsPerDay};
  const Answer a = value_of(plan_budget(plan));
  CHECK(number(a, "flops_per_s") == doctest::Approx(1e17));
  CHECK(figure(a, "flops_per_s").text == "100 PFLOP/s");
  CHECK_FALSE(has_figure(a, "gpus"));
}

TEST_CASE("what a budget lacks is named") {
  const auto path_of = [](const BudgetPlan& plan) { return mistake_of(plan_budget(plan)).path; };
  CHECK(path_of(plan_of(Budget{0, 1e6}, false)) == "--gpu");
  BudgetPlan unpriced = plan_of(Budget{0, 1e6});
  unpriced.gpu->price_usd_per_hour = 0;
  CHECK(path_of(unpriced) == "--price");
  unpriced.price_usd_per_hour = 4;  // said: half of the hours
  CHECK(number(value_of(plan_budget(unpriced)), "gpu_hours") == doctest::Approx(250'000));
  BudgetPlan hours = plan_of({});
  hours.deadline = Seconds{kSecondsPerDay};
  CHECK(path_of(hours) == "--gpus");
  hours.gpu.reset();
  CHECK(path_of(hours) == "--gpu");
  BudgetPlan many = plan_of(Budget{1e24, 0}, false);
  many.gpus = 8;
  CHECK(path_of(many) == "--gpu");
  many.gpus = 0;
  many.price_usd_per_hour = 2;
  CHECK(path_of(many) == "--gpu");
}

TEST_CASE("every law answers, the chosen one first, on 6·N·D of the budget") {
  for (const char* law : {"chinchilla", "hoffmann-1", "hoffmann-2", "hoffmann-3", "kaplan"}) {
    CAPTURE(law);
    BudgetPlan plan = plan_of(Budget{1e24, 0}, false);
    plan.law = law;
    const Answer a = value_of(plan_budget(plan));
    const AnswerTable& laws = table(a, "laws");
    CHECK(laws.rows.size() == 5);
    CHECK(laws.rows[0][0].text == law);
    for (const auto& row : laws.rows) {
      CHECK(6 * number(row[1].value) * number(row[2].value) == doctest::Approx(1e24));
      CHECK(number(row[3].value) == doctest::Approx(number(row[2].value) / number(row[1].value)));
      CHECK(number(row[4].value) > 1.5);
      CHECK(number(row[4].value) < 2.5);
    }
    CHECK(says(a, std::string(law) + ": "));  // its source
  }
  BudgetPlan wrong = plan_of(Budget{1e24, 0}, false);
  wrong.law = "chinchila";
  CHECK(mistake_of(plan_budget(wrong)).help == "did you mean 'chinchilla'?");
}

TEST_CASE("the nearest preset is that of the nearest size, by ratio") {
  // 120 N² FLOPs are compute-optimal for N.
  const auto nearest = [](double n) {
    return figure(value_of(plan_budget(plan_of(Budget{120 * n * n, 0}, false))), "nearest_preset").text;
  };
  CHECK(nearest(405e9) == "llama3.1-405b");
  CHECK(nearest(124e6) == "gpt2");
  CHECK(nearest(1e3) == "gpt2");  // and beyond all of them the last
}

TEST_CASE("a factor on the quality of data is the user's, and said so") {
  BudgetPlan plan = plan_of(Budget{120 * 1e18, 0}, false);  // 1 B parameters, 20 B tokens
  plan.data_quality = 5;
  plan.bytes_per_token = 3;
  const Answer a = value_of(plan_budget(plan));
  CHECK(number(a, "tokens_at_quality") == doctest::Approx(100e9));
  CHECK(figure(a, "tokens_at_quality").remark.find("your assumption") != std::string::npos);
  CHECK(number(a, "corpus_bytes") == doctest::Approx(60e9));
  CHECK(figure(a, "corpus_bytes").text == "60 GB");
}

}  // namespace
}  // namespace orrery::planning::budget_test
