// Laws and published figures of planning against what their papers print.
#include "orrery/planning/scaling.hpp"

#include <cmath>

#include "answers.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/chart.hpp"

namespace orrery::planning::scaling_test {
namespace {

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

TEST_CASE("the critical batch falls with the loss as Kaplan et al. fit it") {
  const CriticalBatch batch = value_of(load_scaling()).critical_batch;
  CHECK(batch.at(1) == doctest::Approx(2e8));
  // 2e8 / 2^(1/0.21) = 2e8 / 27.13
  CHECK(batch.at(2) == doctest::Approx(7.37e6).epsilon(1e-3));
  CHECK(batch.at(1.8) > batch.at(2));
}

TEST_CASE("the GPT-3 paper's training compute within 1 %") {
  for (const PublishedRun& r : value_of(load_published()).compute) {
    CAPTURE(r.name);
    CHECK(r.flops_per * r.parameters * r.tokens / kPetaflopDay == doctest::Approx(r.petaflop_days).epsilon(0.01));
  }
}

TEST_CASE("losses are their formulas") {
  const ScalingTable table = value_of(load_scaling());
  // 10⁹ parameters, 10¹² tokens: 406.4/10^3.06 = 0.35396, 410.7/10^3.36 = 0.17927; with 1.69.
  CHECK(table.hoffmann().loss(1e9, 1e12) == doctest::Approx(2.2232).epsilon(1e-4));
  // Kaplan: (8.8e13/1e9)^(0.076/0.095) = 88000^0.8 = 9033.6, 5.4e13/1e12 = 54; (9087.6)^0.095 = 2.3771.
  CHECK(table.kaplan_loss.loss(1e9, 1e12) == doctest::Approx(2.3771).epsilon(1e-4));
  // Without end of model and data what is left is the text's own.
  CHECK(table.hoffmann().loss(1e60, 1e60) == doctest::Approx(1.69).epsilon(1e-9));
}

TEST_CASE("optima follow their laws over the budget") {
  const ScalingTable table = value_of(load_scaling());
  // 100 times the compute: √100 = 10 times the model at 20 tokens a parameter, 100^0.73 = 28.84 by Kaplan,
  // 100^(0.28/0.62) = 8.0025 by approach 3.
  const auto growth = [&](const char* law) {
    return optimum_of(*table.find(law), 1e24).parameters / optimum_of(*table.find(law), 1e22).parameters;
  };
  CHECK(growth("chinchilla") == doctest::Approx(10));
  CHECK(growth("hoffmann-1") == doctest::Approx(10));
  CHECK(growth("hoffmann-2") == doctest::Approx(std::pow(100, 0.49)));
  CHECK(growth("hoffmann-3") == doctest::Approx(8.0025).epsilon(1e-4));
  CHECK(growth("kaplan") == doctest::Approx(28.84).epsilon(1e-3));
  CHECK(table.find("nobody") == nullptr);
  for (const ScalingLaw& law : table.laws) CHECK_FALSE(law.source.empty());
}

TEST_CASE("an 8 times larger model takes 4.66 times the data to keep up, by Kaplan's loss, too") {
  // L stays on one curve of overfitting where (Nc/N)^(αN/αD) and Dc/D shrink alike: D ∝ N^(0.076/0.095) = N^0.8 by
  // these constants, N^0.74 as the paper fits and prints it.
  const ScalingTable table = value_of(load_scaling());
  CHECK(table.kaplan_loss.alpha_n / table.kaplan_loss.alpha_d == doctest::Approx(0.8));
  CHECK(table.kaplan_data_exponent == 0.74);
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
}  // namespace orrery::planning::scaling_test
