// Charts: where bars and points of a drawing stand, by hand, and that every answer with a picture has one.
#include "orrery/planning/chart.hpp"

#include <cmath>
#include <sstream>

#include "../count.hpp"
#include "answers.hpp"
#include "orrery/planning/budget.hpp"
#include "orrery/planning/fit.hpp"
#include "orrery/planning/scaling.hpp"
#include "orrery/report/chart.hpp"

namespace orrery::planning::chart_test {
namespace {

using orrery::testing::count;
using report::Panel;
using report::svg_of;

// The numbers of an attribute, in the order of the file.
std::vector<double> numbers(const std::string& svg, const std::string& element, const std::string& attribute) {
  std::vector<double> all;
  for (std::size_t at = svg.find("<" + element); at != std::string::npos; at = svg.find("<" + element, at + 1)) {
    const std::size_t key = svg.find(" " + attribute + "=\"", at);
    if (key < svg.find('>', at)) all.push_back(std::stod(svg.substr(key + attribute.size() + 3)));
  }
  return all;
}

std::vector<std::pair<double, double>> points(const std::string& svg) {
  const std::size_t begin = svg.find("points=\"") + 8;
  std::istringstream in(svg.substr(begin, svg.find('"', begin) - begin));
  std::vector<std::pair<double, double>> all;
  char comma = 0;
  for (double x = 0, y = 0; in >> x >> comma >> y;) all.emplace_back(x, y);
  return all;
}

TEST_CASE("bars stand on a log axis: each ten times is as much higher") {
  Panel panel{"title", "", "value"};
  panel.bars = {{"one", 1, 0}, {"ten", 10, 0}, {"hundred", 100, 1}};
  const std::string svg = svg_of(std::vector<Panel>{panel});
  // The axis goes from 0.1 to 100 over pixels 288 to 40: 248/3 a power of ten.
  const std::vector<double> tops = numbers(svg, "rect", "y"), heights = numbers(svg, "rect", "height");
  REQUIRE(heights.size() >= 4);
  const std::size_t first = heights.size() - 3;  // behind the background and the frame
  for (int i = 0; i < 3; ++i)
    CHECK(heights[first + static_cast<std::size_t>(i)] == doctest::Approx((i + 1) * 248 / 3.0).epsilon(1e-3));
  for (std::size_t i = first; i < heights.size(); ++i)
    CHECK(tops[tops.size() - 3 + i - first] + heights[i] == doctest::Approx(288).epsilon(1e-3));
  CHECK(svg.find(">hundred<") != std::string::npos);
  CHECK(count(svg, "class=\"s1\"") == 1);  // the second colour, of group 1
}

TEST_CASE("lines go by the logarithm across, and straight up") {
  Panel panel{"title", "x", "y", {{"a", {{1, 0}, {10, 1}, {100, 2}}}}};
  const auto drawn = points(svg_of(std::vector<Panel>{panel}));
  REQUIRE(drawn.size() == 3);
  // Equal steps both ways; larger values are higher, that is at smaller y.
  CHECK(drawn[1].first - drawn[0].first == doctest::Approx(drawn[2].first - drawn[1].first));
  CHECK(drawn[0].second - drawn[1].second == doctest::Approx(drawn[1].second - drawn[2].second));
  CHECK(drawn[0].second > drawn[2].second);
  CHECK(drawn[0].first == doctest::Approx(64));   // the left edge
  CHECK(drawn[2].first == doctest::Approx(504));  // and the right one
}

TEST_CASE("names that mean something in SVG are escaped") {
  Panel panel{"a < b & \"c\"", "x", "y", {{"s", {{1, 1}, {2, 2}}}}};
  const std::string svg = svg_of(std::vector<Panel>{panel});
  CHECK(svg.find("a &lt; b &amp; &quot;c&quot;") != std::string::npos);
  CHECK(svg.find("a < b") == std::string::npos);
}

TEST_CASE("panels stand side by side") {
  const Panel panel{"t", "x", "y", {{"s", {{1, 1}, {2, 2}}}}};
  const std::string svg = svg_of(std::vector<Panel>{panel, panel, panel});
  CHECK(svg.find("viewBox=\"0 0 1560 ") != std::string::npos);  // three of 520
}

TEST_CASE("the envelope of the loss lies below every curve of a size") {
  const std::string svg = value_of(loss_chart(70e9, 1.4e12));
  CHECK(svg.find("viewBox=\"0 0 1560 ") != std::string::npos);  // three panels
  CHECK(count(svg, "this plan") == 3);
  CHECK(svg.find("70 B parameters") != std::string::npos);
  // As numbers: at no compute does a size do better than the optimum.
  const ScalingTable table = value_of(load_scaling());
  for (double flops = 1e20; flops < 1e26; flops *= 10) {
    const Optimum best = optimum_of(*table.find("hoffmann-3"), flops);
    for (double n = 1e8; n < 1e12; n *= 3)
      CHECK(table.hoffmann().loss(best.parameters, best.tokens) <= table.hoffmann().loss(n, flops / 6 / n) + 1e-12);
  }
}

TEST_CASE("training compute of BERT, RoBERTa, T5 and GPT-3 are bars of a colour a family") {
  const std::string svg = value_of(compute_chart());
  for (const char* name : {"BERT-Large", "RoBERTa-Base", "T5-11B", "GPT-3 175B"})
    CHECK(svg.find(std::string(">") + name + "<") != std::string::npos);
  CHECK(count(svg, "<rect") == 17 + 2);
  CHECK(svg.find(">3637<") != std::string::npos);  // petaFLOP/s-days of GPT-3
}

TEST_CASE("a limit of bars is a dashed line across at its height, and the axis holds it") {
  Panel panel{"title", "", "GB"};
  panel.bars = {{"one", 1, 0}};
  panel.limit = 80;
  const std::string svg = svg_of(std::vector<Panel>{panel});
  // From 0.1 to 100 over pixels 288 to 40: 80 is at 288 − 248 · (lg 80 + 1) / 3 = 48.0.
  CHECK(svg.find("y1=\"48.0\"") != std::string::npos);
  CHECK(count(svg, "class=\"limit\"") == 1);
}

TEST_CASE("a fit is drawn by class and by sharding or format, beside what the GPU has") {
  FitQuestion q;
  q.parameters = 1e9;
  q.gpu.usable_memory = {41'000'000'000};
  q.gpu.context_memory = {1'000'000'000};
  q.purpose = Purpose::training;
  const std::string training = value_of(chart_of(value_of(fit_model(q))));
  for (const char* bar : {">weights<", ">gradients<", ">optimizer<", ">in all<", ">ZeRO-1<", ">int8<"})
    CHECK(training.find(bar) != std::string::npos);
  CHECK(count(training, "class=\"limit\"") == 3);  // classes, formats, strategies
  q.purpose = Purpose::inference;
  const std::string inference = value_of(chart_of(value_of(fit_model(q))));
  CHECK(inference.find(">gradients<") == std::string::npos);
  CHECK(inference.find(">ZeRO-1<") == std::string::npos);
}

TEST_CASE("answers that a picture says more of have one, the others are refused") {
  for (const char* name : {"optimal", "compute", "sample_efficiency"}) {
    CAPTURE(name);
    const std::string svg = value_of(chart_of(value_of(planning_table(name))));
    CHECK(svg.starts_with("<svg "));
    CHECK(svg.find("nan") == std::string::npos);
  }
  BudgetPlan plan;
  plan.budget = Budget{1e24, 0};
  CHECK(value_of(chart_of(value_of(plan_budget(plan)))).find("envelope") != std::string::npos);
  CHECK(mistake_of(chart_of(value_of(planning_table("petaflop_day")))).path == "--plot");
}

// The table that a plan for several numbers of GPUs has.
Answer gpus_answer(const std::vector<std::pair<std::int64_t, double>>& days) {
  AnswerTable t{"gpus", "", {{"gpus", ""}, {"days", ""}, {"gpu_hours", ""}, {"cost_usd", ""}}};
  for (const auto& [gpus, d] : days)
    t.rows.push_back({{gpus, ""}, d > 0 ? AnswerCell{d, ""} : cell("-"), {1.0, ""}, {2e6 * d, ""}});
  return {"", "", {{"", "", {}, {t}}}};
}

TEST_CASE("days and cost over numbers of GPUs, without those that nothing fits on") {
  const std::string svg = value_of(chart_of(gpus_answer({{8, 0}, {16, 4}, {32, 2}})));
  CHECK(count(svg, "<polyline") == 2);
  CHECK(points(svg).size() == 2);
  CHECK(mistake_of(chart_of(gpus_answer({{8, 0}, {16, 4}}))).help.find("--gpus") != std::string::npos);
}

}  // namespace
}  // namespace orrery::planning::chart_test
