#include <fmt/format.h>

#include <cmath>

#include "orrery/planning/amounts.hpp"
#include "orrery/planning/budget.hpp"
#include "orrery/planning/chart.hpp"
#include "orrery/planning/scaling.hpp"
#include "orrery/report/chart.hpp"

namespace orrery::planning {
namespace {

using report::Panel;
using report::Series;
using report::svg_of;

constexpr int kPoints = 80;

// Values apart by equal factors, from `low` to `high`.
template <class Body>
std::vector<std::pair<double, double>> curve(double low, double high, Body&& value) {
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i <= kPoints; ++i) {
    const double x = low * std::pow(high / low, static_cast<double>(i) / kPoints);
    points.emplace_back(x, value(x));
  }
  return points;
}

Panel against_compute(const LossLaw& law, const ScalingLaw& optimal, double n, double d) {
  const double flops = 6 * n * d, low = flops / 1e3, high = flops * 1e3;
  Panel panel{"Loss against compute", "FLOPs", "loss"};
  for (const double factor : {1.0 / 64, 1.0 / 8, 1.0, 8.0, 64.0}) {
    const double size = n * factor;
    // From two tokens a parameter on: below, the law was not fitted.
    const double from = std::max(low, 12 * size * size);
    if (from < high)
      panel.series.push_back({count_text(size) + " parameters",
                              curve(from, high, [&](double c) { return law.loss(size, c / 6 / size); })});
  }
  panel.series.push_back({"envelope",
                          curve(low, high,
                                [&](double c) {
                                  const Optimum o = optimum_of(optimal, c);
                                  return law.loss(o.parameters, o.tokens);
                                }),
                          true});
  panel.marks.push_back({flops, law.loss(n, d), "this plan"});
  return panel;
}

double number(const AnswerValue& value) {
  const auto* real = std::get_if<double>(&value);
  const auto* whole = std::get_if<std::int64_t>(&value);
  return real != nullptr ? *real : whole != nullptr ? static_cast<double>(*whole) : 0;
}

// Numbers of GPUs that can be planned with: days and cost of each.
Result<std::string> gpus_chart(const AnswerTable& table) {
  Panel days{"Time", "GPUs", "days", {{"", {}, true}}}, cost{"Cost", "GPUs", "million dollars", {{"", {}, true}}};
  for (const auto& row : table.rows) {
    if (number(row[1].value) <= 0) continue;  // nothing fits
    days.series[0].points.emplace_back(number(row[0].value), number(row[1].value));
    cost.series[0].points.emplace_back(number(row[0].value), number(row[3].value) / 1e6);
  }
  if (days.series[0].points.size() < 2)
    return wrong_option("--plot", "one number of GPUs that fits is no picture", "give more, such as --gpus 64,128,256");
  return svg_of(std::vector<Panel>{days, cost});
}

// Tokens a parameter of published models, over their sizes, beside the 20 of the rule.
Result<std::string> optimal_chart(const AnswerTable& table) {
  Panel panel{"Published models", "parameters", "tokens a parameter", {{"20 a parameter", {}, true}}};
  double least = 1e300, most = 0;
  for (const auto& row : table.rows) {
    const double n = number(row[1].value), per = number(row[4].value);
    panel.marks.push_back({n, per, std::get<std::string>(row[0].value)});
    panel.series.push_back({"", {{n, per}}});  // the axes hold it
    least = std::min(least, n), most = std::max(most, n);
  }
  panel.series[0].points = {{least, 20}, {most, 20}};
  return svg_of(std::vector<Panel>{panel});
}

// Loss over tokens of models of each size.
Result<std::string> efficiency_chart(const AnswerTable& table) {
  Panel panel{"Loss against tokens", "tokens", "loss"};
  for (std::size_t c = 1; c < table.columns.size(); ++c) {
    Series size{table.columns[c].title, {}};
    for (const auto& row : table.rows)
      if (const double tokens = number(row[c].value); tokens > 0)
        size.points.emplace_back(tokens, number(row[0].value));
    panel.series.push_back(std::move(size));
  }
  return svg_of(std::vector<Panel>{panel});
}

const Figure* figure_of(const Answer& answer, std::string_view key) {
  for (const AnswerPart& part : answer.parts)
    for (const Figure& f : part.figures)
      if (f.key == key) return &f;
  return nullptr;
}

// Bytes by class beside what a GPU has (dashed), and what sharding or number formats make of them.
std::string memory_chart(const Answer& answer) {
  const Figure* usable = figure_of(answer, "usable_bytes");
  const double room = usable != nullptr ? number(usable->value) / 1e9 : 0;
  std::vector<Panel> panels(1, Panel{"Bytes by class", "", "GB"});
  for (const auto& [key, name] : {std::pair{"weights_bytes", "weights"},
                                  {"gradients_bytes", "gradients"},
                                  {"optimizer_bytes", "optimizer"},
                                  {"activations_bytes", "activations"},
                                  {"total_bytes", "in all"}})
    if (const Figure* f = figure_of(answer, key); f != nullptr && number(f->value) > 0)
      panels[0].bars.push_back({name, number(f->value) / 1e9, std::string_view(name) == "in all" ? 1 : 0});
  for (const AnswerPart& part : answer.parts)
    for (const AnswerTable& table : part.tables) {
      const std::size_t bytes = table.key == "strategies" ? 1 : table.key == "formats" ? 5 : 0;
      if (bytes == 0) continue;
      Panel panel{bytes == 1 ? "Held by a GPU" : "Weights", "", "GB"};
      for (const auto& row : table.rows)
        panel.bars.push_back({row[0].text, number(row[bytes].value) / 1e9, bytes == 1 ? 1 : 0});
      panels.push_back(std::move(panel));
    }
  for (Panel& panel : panels) panel.limit = room;
  return svg_of(panels);
}

}  // namespace

Result<std::string> chart_of(const Answer& answer, Catalogue& catalogue) {
  for (const AnswerPart& part : answer.parts)
    for (const AnswerTable& table : part.tables) {
      if (table.key == "gpus") return gpus_chart(table);
      if (table.key == "runs") return compute_chart(catalogue);
      if (table.key == "models") return optimal_chart(table);
      if (table.key == "losses") return efficiency_chart(table);
    }
  if (figure_of(answer, "total_bytes") != nullptr) return memory_chart(answer);
  if (const Optimum best = chosen_by(answer); best.tokens > 0)
    return loss_chart(best.parameters, best.tokens, catalogue);
  return wrong_option("--plot", "there is no picture of this",
                      "with --budget, --deadline, --parameters, --table or --cluster with several --gpus there is");
}

Result<std::string> loss_chart(double n, double d, Catalogue& catalogue) {
  const auto table = load_scaling(catalogue);
  if (!table.ok()) return table.errors();
  const LossLaw& law = table->hoffmann();
  Panel tokens{fmt::format("Loss against tokens, {} parameters", count_text(n)),
               "tokens",
               "loss",
               {{"", curve(d / 1e2, d * 1e2, [&](double x) { return law.loss(n, x); }), true}},
               {{d, law.loss(n, d), "this plan"}}};
  Panel sizes{fmt::format("Loss against parameters, {} tokens", count_text(d)),
              "parameters",
              "loss",
              {{"", curve(n / 1e2, n * 1e2, [&](double x) { return law.loss(x, d); }), true}},
              {{n, law.loss(n, d), "this plan"}}};
  return svg_of(std::vector<Panel>{against_compute(law, *table->find("hoffmann-3"), n, d), tokens, sizes});
}

Result<std::string> compute_chart(Catalogue& catalogue) {
  const auto published = load_published(catalogue);
  if (!published.ok()) return published.errors();
  Panel panel{"Training compute", "", "petaFLOP/s-days"};
  std::vector<std::string> families;
  for (const PublishedRun& r : published->compute) {
    const std::string family = r.name.substr(0, r.name.find_first_of("- "));
    if (families.empty() || families.back() != family) families.push_back(family);
    panel.bars.push_back(
        {r.name, r.flops_per * r.parameters * r.tokens / kPetaflopDay, static_cast<int>(families.size()) - 1});
  }
  return svg_of(std::vector<Panel>{panel});
}

}  // namespace orrery::planning
