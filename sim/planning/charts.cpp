#include <fmt/format.h>

#include <cmath>

#include "orrery/planning/amounts.hpp"
#include "orrery/planning/chart.hpp"
#include "orrery/planning/scaling.hpp"

namespace orrery::planning {
namespace {

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

}  // namespace

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
  return svg_of({against_compute(law, *table->find("hoffmann-3"), n, d), tokens, sizes});
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
  return svg_of({panel});
}

}  // namespace orrery::planning
