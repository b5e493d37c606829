#include "sweep_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "orrery/report/chart.hpp"
#include "sweep_output.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

using report::Panel;
using sweep::Row;
using sweep::Status;

bool played(const Row& row) {
  return row.status <= Status::unwanted;
}
double step_seconds(const Row& row) {
  return static_cast<double>(row.figures.step_time_ps) / 1e12;
}
double gibibytes(const Row& row) {
  return static_cast<double>(row.figures.memory_bytes) / (1 << 30);
}

// Of each dimension its value in a row; empty where the space has no such key.
std::string value_of(const Row& row, const sweep::Space& space, std::string_view key) {
  const std::vector<std::string> values = sweep::values_of(row.point, space);
  for (std::size_t d = 0; d < values.size(); ++d)
    if (space.dimensions[d].key == key) return values[d];
  return {};
}

std::string pareto_html(const sweep::Outcome& o, const std::vector<Row>& rows) {
  Panel panel{"Step time against memory", "GiB of the fullest GPU", "step time, s"};
  panel.groups = {"no other is better in both", "fits", "does not fit"};
  std::set<std::int64_t> best;
  for (const Row& row : o.pareto) best.insert(row.point);
  for (const Row& row : rows) {
    if (!played(row)) continue;
    const int group = best.contains(row.point) ? 0 : row.status == Status::does_not_fit ? 2 : 1;
    panel.dots.push_back({gibibytes(row), step_seconds(row),
                          fmt::format("{}: {:.4g} s, {:.1f} GiB, MFU {:.1f} %", in_words(row, o.space),
                                      step_seconds(row), gibibytes(row), 100 * row.figures.mfu),
                          group});
  }
  if (panel.dots.empty()) return report::paragraph_html("No layout was played.");
  panel.x_log = false;
  return report::svg_of(std::vector<Panel>{panel});
}

// The best step time of each tensor × pipeline; hatched where all that was played does not fit.
std::string heat_html(const sweep::Outcome& o, const std::vector<Row>& rows) {
  constexpr const char *kTensor = "layout.tensor", *kPipeline = "layout.pipeline";
  const auto by_size = [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  };
  std::set<std::string, decltype(by_size)> tensors(by_size), pipelines(by_size);
  std::map<std::pair<std::string, std::string>, std::pair<const Row*, const Row*>> cells;  // fits, does not
  for (const Row& row : rows) {
    const std::string tensor = value_of(row, o.space, kTensor), pipeline = value_of(row, o.space, kPipeline);
    if (tensor.empty() || pipeline.empty()) return {};
    if (!played(row)) continue;
    tensors.insert(tensor), pipelines.insert(pipeline);
    auto& [fits, not_fitting] = cells[{pipeline, tensor}];
    const Row*& best = row.status == Status::does_not_fit ? not_fitting : fits;
    if (best == nullptr || row.figures.step_time_ps < best->figures.step_time_ps) best = &row;
  }
  report::HeatMap map{"Best step time, s",
                      "tensor",
                      "pipeline",
                      {tensors.begin(), tensors.end()},
                      {pipelines.begin(), pipelines.end()},
                      {}};
  for (const std::string& pipeline : map.rows) {
    auto& line = map.cells.emplace_back();
    for (const std::string& tensor : map.columns) {
      const auto at = cells.find({pipeline, tensor});
      if (at == cells.end()) {
        line.push_back({});
        continue;
      }
      const auto& [fits, not_fitting] = at->second;
      const Row& row = fits ? *fits : *not_fitting;
      line.push_back({fits ? std::optional(step_seconds(row)) : std::nullopt,
                      fits ? fmt::format("{:.4g}", step_seconds(row)) : "no fit", in_words(row, o.space)});
    }
  }
  return map.rows.empty() ? std::string()
                          : report::svg_of(map) + report::paragraph_html("Hatched: nothing that was played fits.");
}

// Tokens a second of the best of each number of GPUs, where the space has several.
std::string scaling_html(const std::vector<Row>& rows) {
  std::map<std::int64_t, double> best;
  for (const Row& row : rows)
    if (row.status == Status::ok) {
      double& most = best[row.figures.gpus];
      most = std::max(most, row.figures.tokens_per_s_per_gpu * static_cast<double>(row.figures.gpus));
    }
  if (best.size() < 2) return {};
  Panel panel{"Tokens a second of the best", "GPUs", "tokens/s", {{"best", {}, true}, {"in proportion", {}}}};
  const double first = best.begin()->second / static_cast<double>(best.begin()->first);
  for (const auto& [gpus, rate] : best) {
    panel.series[0].points.emplace_back(gpus, rate);
    panel.series[1].points.emplace_back(gpus, first * static_cast<double>(gpus));
  }
  panel.y_log = true;
  return report::svg_of(std::vector<Panel>{panel});
}

std::string table_html(const sweep::Outcome& o) {
  std::vector<report::PageColumn> columns{{"#"}};
  for (const sweep::Dimension& d : o.space.dimensions) columns.push_back({last_part(d.key)});
  for (const char* title : {"step", "tokens/s/GPU", "MFU", "bubble", "memory"}) columns.push_back({title});
  std::vector<std::vector<std::string>> rows;
  for (const Row& row : o.best) {
    std::vector<std::string> cells{std::to_string(rows.size() + 1)};
    for (const std::string& value : sweep::values_of(row.point, o.space)) cells.push_back(value);
    cells.insert(
        cells.end(),
        {fmt::format("{:.4g} s", step_seconds(row)), fmt::format("{:.1f}", row.figures.tokens_per_s_per_gpu),
         fmt::format("{:.1f} %", 100 * row.figures.mfu), fmt::format("{:.1f} %", 100 * row.figures.bubble_fraction),
         gibibytes_text(static_cast<double>(row.figures.memory_bytes))});
    rows.push_back(std::move(cells));
  }
  return report::table_html(columns, rows);
}

std::string reasons_html(const sweep::Outcome& o) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* fate, const std::vector<sweep::Reason>& reasons) {
    for (const sweep::Reason& r : reasons) rows.push_back({std::to_string(r.points), fate, r.why});
  };
  add("refused", o.refused), add("pruned", o.pruned), add("unwanted", o.unwanted);
  return rows.empty() ? report::paragraph_html("Nothing.")
                      : report::table_html({{"layouts"}, {"fate", false}, {"why", false}}, rows);
}

}  // namespace

report::Page sweep_page(const sweep::Outcome& o, const std::vector<Row>& rows, const std::string& title) {
  const sweep::Counts& c = o.counts;
  report::Page page{title, fmt::format("{} layouts: {} refused, {} alike others, {} pruned, {} played, of which {} fit",
                                       c.space, c.refused, c.duplicate, c.pruned, c.evaluated, c.fit)};
  if (!o.best.empty()) {
    const Row& best = o.best.front();
    page.figures = {{"best step time", fmt::format("{:.4g} s", step_seconds(best)), in_words(best, o.space)},
                    {"MFU", fmt::format("{:.1f} %", 100 * best.figures.mfu), "of the best"},
                    {"tokens/s/GPU", fmt::format("{:.1f}", best.figures.tokens_per_s_per_gpu), "of the best"},
                    {"memory", gibibytes_text(static_cast<double>(best.figures.memory_bytes)), "of the fullest GPU"}};
    page.sections.push_back({"The best", table_html(o)});
  }
  page.sections.push_back({"Step time and memory", pareto_html(o, rows)});
  if (std::string heat = heat_html(o, rows); !heat.empty())
    page.sections.push_back({"Tensor × pipeline", std::move(heat)});
  if (std::string scaling = scaling_html(rows); !scaling.empty())
    page.sections.push_back({"Scaling", std::move(scaling)});
  page.sections.push_back({"Left out", reasons_html(o)});
  return page;
}

}  // namespace orrery::cli
