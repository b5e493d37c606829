// Laws and published figures of planning against what their papers print.
#include "orrery/planning/scaling.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "orrery/planning/amounts.hpp"
#include "orrery/planning/budget.hpp"
#include "orrery/planning/chart.hpp"
#include "orrery/planning/mix.hpp"

namespace orrery::planning {
namespace {

template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) FAIL(render(result.errors()));
  return std::move(result).value();
}

double number(const AnswerValue& value) {
  return std::get<double>(value);
}

TEST_CASE("the budget of Chinchilla gives 70B and 1.4T, by each law what its paper says") {
  const ScalingTable table = value_of(load_scaling());
  const double gopher = 5.76e23;
  // 6 · 70e9 · 1.4e12 = 5.88e23.
  CHECK(optimum_of(*table.find("chinchilla"), 5.88e23).parameters == doctest::Approx(70e9).epsilon(1e-9));
  CHECK(optimum_of(*table.find("hoffmann-1"), gopher).parameters == doctest::Approx(67e9));
  CHECK(optimum_of(*table.find("hoffmann-2"), gopher).tokens == doctest::Approx(1.5e12).epsilon(0.03));
  CHECK(optimum_of(*table.find("kaplan"), kPetaflopDay).parameters == doctest::Approx(1.3e9));
  // The closed form is the minimum: moving either way along 6·N·D = C loses.
  const Optimum best = optimum_of(*table.find("hoffmann-3"), gopher);
  const double least = table.hoffmann().loss(best.parameters, best.tokens);
  for (const double factor : {0.9, 1.1})
    CHECK(table.hoffmann().loss(best.parameters * factor, best.tokens / factor) > least);
}

TEST_CASE("losses order the published models, and larger models reach a loss with fewer tokens") {
  const ScalingTable table = value_of(load_scaling());
  const LossLaw& law = table.hoffmann();
  CHECK(law.loss(70e9, 1.4e12) < law.loss(280e9, 300e9));  // Chinchilla, Gopher
  CHECK(law.loss(65e9, 1.4e12) < law.loss(175e9, 300e9));  // LLaMA-65B, GPT-3
  CHECK(law.loss(280e9, 300e9) == doctest::Approx(1.9933).epsilon(1e-4));
  CHECK(law.tokens_for(2.1, 70e9) < law.tokens_for(2.1, 13e9));
  CHECK(law.loss(70e9, law.tokens_for(2.1, 70e9)) == doctest::Approx(2.1));
  CHECK(std::isinf(law.tokens_for(1.9, 1e9)));
  CHECK(std::pow(8, table.kaplan_data_exponent) == doctest::Approx(4.66).epsilon(1e-3));
}

TEST_CASE("the GPT-3 paper's training compute within 1 %") {
  for (const PublishedRun& r : value_of(load_published()).compute) {
    CAPTURE(r.name);
    CHECK(r.flops_per * r.parameters * r.tokens / kPetaflopDay == doctest::Approx(r.petaflop_days).epsilon(0.01));
  }
}

TEST_CASE("a budget of money, of a deadline, and both that cannot hold") {
  hardware::Gpu gpu;
  gpu.name = "g";
  gpu.dense_peak[static_cast<std::size_t>(DType::bf16)] = {1'000'000'000'000'000};
  gpu.price_usd_per_hour = 2;
  BudgetPlan plan;
  plan.gpu = gpu;
  plan.efficiency = 0.5;
  plan.budget = Budget{0, 2e6};  // a million hours of 5e14 FLOP/s: 1.8e24
  CHECK(number(value_of(plan_budget(plan)).parts[0].figures[0].value) == doctest::Approx(1.8e24));
  plan.deadline = Seconds{10 * kSecondsPerDay};  // 1e6 / 240 hours
  const Answer answer = value_of(plan_budget(plan));
  CHECK(number(answer.parts[0].figures[4].value) == 4167);
  plan.gpus = 4166;
  const auto late = plan_budget(plan);
  REQUIRE_FALSE(late.ok());
  CHECK(late.errors().front().path == "--deadline");
  CHECK(late.errors().front().help.find("--gpus 4167") != std::string::npos);
  plan.gpu->price_usd_per_hour = 0;
  CHECK(plan_budget(plan).errors().front().path == "--price");
  plan.law = "hofmann-1";
  CHECK(plan_budget(plan).errors().front().help == "did you mean 'hoffmann-1'?");
}

TEST_CASE("a mix gives the tokens of each part") {
  const AnswerPart part = value_of(mix_of("51/49", 700e9));
  CHECK(number(part.tables[0].rows[0][2].value) == doctest::Approx(357e9));
  CHECK(number(part.tables[0].rows[1][2].value) == doctest::Approx(343e9));
  CHECK_FALSE(mix_of("51/50", 1e9).ok());
  CHECK_FALSE(mix_of("51/x", 1e9).ok());
}

TEST_CASE("charts are whole SVG") {
  const std::string losses = value_of(loss_chart(70e9, 1.4e12)), bars = value_of(compute_chart());
  for (const std::string& svg : {losses, bars}) {
    CHECK(svg.starts_with("<svg xmlns="));
    CHECK(svg.ends_with("</svg>\n"));
    CHECK(svg.find("nan") == std::string::npos);
    CHECK(svg.find("inf") == std::string::npos);
  }
  CHECK(losses.find("envelope") != std::string::npos);
  CHECK(bars.find("GPT-3 175B") != std::string::npos);
}

}  // namespace
}  // namespace orrery::planning
