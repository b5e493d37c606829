#include "orrery/validation/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "orrery/report/chart.hpp"

namespace orrery::validation {
namespace {

struct Dot {
  const Row* row = nullptr;
  double measured = 0, predicted = 0;
  double error() const { return predicted / measured - 1; }
};

// Rows that have both numbers of a figure, above 0.
std::vector<Dot> points_of(const Report& report, std::string_view figure) {
  std::vector<Dot> points;
  for (const Row& row : report.rows)
    for (const Figure& f : row.figures) {
      if (f.name != figure || f.exact) continue;
      const double *measured = std::get_if<double>(&f.reference), *predicted = std::get_if<double>(&f.predicted);
      if (measured && predicted && *measured > 0 && *predicted > 0) points.push_back({&row, *measured, *predicted});
    }
  return points;
}

std::vector<std::string> figures_of(const Report& report) {
  std::vector<std::string> names;
  for (const Row& row : report.rows)
    for (const Figure& f : row.figures)
      if (!f.exact && std::find(names.begin(), names.end(), f.name) == names.end()) names.emplace_back(f.name);
  return names;
}

// Coloured by the first group of each row (its source or stack): the seven largest, and the others.
report::Panel scatter(const std::string& figure, const std::vector<Dot>& points) {
  const auto source = [](const Dot& p) {
    return p.row->groups.empty() ? std::string("all") : p.row->groups.front().second;
  };
  std::map<std::string, int> count;
  for (const Dot& p : points) ++count[source(p)];
  std::vector<std::pair<int, std::string>> order;
  for (const auto& [name, rows] : count) order.emplace_back(-rows, name);
  std::sort(order.begin(), order.end());
  report::Panel panel{figure, "measured", "predicted"};
  for (std::size_t i = 0; i < order.size() && i < 7; ++i) panel.groups.push_back(order[i].second);
  if (order.size() > 7) panel.groups.emplace_back("others");
  for (const Dot& p : points) {
    const auto at = std::find(panel.groups.begin(), panel.groups.end(), source(p));
    const auto group = at == panel.groups.end() ? 7 : at - panel.groups.begin();
    panel.dots.push_back({p.measured, p.predicted,
                          fmt::format("{}: measured {:.4g}, predicted {:.4g} ({:+.1f} %)", p.row->id, p.measured,
                                      p.predicted, 100 * p.error()),
                          static_cast<int>(group)});
  }
  panel.x_log = panel.y_log = panel.diagonal = true;
  return panel;
}

std::string worst_rows(std::vector<Dot> points) {
  constexpr std::size_t kMost = 15;
  std::stable_sort(points.begin(), points.end(),
                   [](const Dot& a, const Dot& b) { return std::abs(a.error()) > std::abs(b.error()); });
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < points.size() && i < kMost; ++i)
    rows.push_back({points[i].row->id, fmt::format("{:.4g}", points[i].measured),
                    fmt::format("{:.4g}", points[i].predicted), fmt::format("{:+.1f} %", 100 * points[i].error()),
                    points[i].row->what});
  return report::table_html({{"row", false}, {"measured"}, {"predicted"}, {"error"}, {"what", false}}, rows);
}

std::string groups_table(const Report& report, const std::string& figure) {
  std::vector<std::vector<std::string>> rows;
  for (const Group& g : report.groups)
    for (const Group::OfFigure& f : g.figures) {
      if (f.name != figure || f.all.rows == 0) continue;
      const auto percent = [](double v) { return fmt::format("{:.1f} %", 100 * v); };
      rows.push_back({g.by, g.name, std::to_string(f.all.rows), percent(f.all.mape), percent(f.all.median_abs_error),
                      percent(f.all.p90_abs_error), fmt::format("{:+.1f} %", 100 * f.all.bias)});
    }
  return report::table_html(
      {{"by", false}, {"group", false}, {"rows"}, {"mean error"}, {"median"}, {"90th percentile"}, {"bias"}}, rows);
}

}  // namespace

std::string chart_of(const Report& report) {
  std::vector<report::Panel> panels;
  for (const std::string& figure : figures_of(report))
    if (const std::vector<Dot> points = points_of(report, figure); !points.empty())
      panels.push_back(scatter(figure, points));
  return panels.empty() ? std::string() : report::svg_of(panels);
}

report::Page page_of(const Report& report) {
  report::Page page{fmt::format("Validation: {}", std::filesystem::path(report.file).filename().string()),
                    "Predicted against measured; the line is where they are equal. Rest on a dot to see its row."};
  page.figures = {{"rows", std::to_string(report.rows.size()), "of the table"},
                  {"refused", std::to_string(report.refused()), "for want of a word, GPU, cluster or stack"}};
  for (const std::string& figure : figures_of(report)) {
    const std::vector<Dot> points = points_of(report, figure);
    if (points.empty()) continue;
    page.sections.push_back(
        {figure, report::svg_of(std::vector<report::Panel>{scatter(figure, points)}) + groups_table(report, figure)});
    page.sections.push_back({figure + ": the worst rows", worst_rows(points)});
  }
  if (page.sections.empty()) {
    page.figures.push_back({"unequal", std::to_string(report.unequal()), "rows that are not what the oracle says"});
    page.sections.push_back(
        {"Rows", report::paragraph_html("The table holds exact oracles: there are no errors to draw.")});
  }
  std::vector<std::vector<std::string>> refused;
  for (const Refusal& r : refusals_of(report))
    refused.push_back({std::to_string(r.ids.size()), r.why, r.ids.empty() ? "" : r.ids.front()});
  if (!refused.empty())
    page.sections.push_back({"Refused", report::table_html({{"rows"}, {"why", false}, {"the first", false}}, refused)});
  return page;
}

}  // namespace orrery::validation
