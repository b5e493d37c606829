// The pictures of a sweep.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "orrery/report/chart.hpp"
#include "orrery/report/numbers.hpp"
#include "sweep_output.hpp"
#include "sweep_page.hpp"

namespace orrery::cli {
namespace {

using report::Panel;
using sweep::Row;
using sweep::Status;

bool played(const Row& row) {
  return row.status <= Status::unwanted;
}
double gibibytes(const Row& row) {
  return static_cast<double>(row.figures.memory_bytes) / (1 << 30);
}
int group_of(const Row& row, const std::set<std::int64_t>& best) {
  return best.contains(row.point) ? 0 : row.status == Status::does_not_fit ? 2 : 1;
}

// Of each dimension its value in a row; empty where the space has no such key.
std::string value_of(const Row& row, const sweep::Space& space, std::string_view key) {
  const std::vector<std::string> values = sweep::values_of(row.point, space);
  for (std::size_t d = 0; d < values.size(); ++d)
    if (space.dimensions[d].key == key) return values[d];
  return {};
}

std::string pareto(const sweep::Outcome& o, const std::vector<Row>& rows) {
  Panel panel{"Step time against memory", "GiB of the fullest GPU", "step time, s"};
  panel.groups = {"no other is better in both", "fits", "does not fit"};
  std::set<std::int64_t> best;
  for (const Row& row : o.pareto) best.insert(row.point);
  for (const Row& row : rows) {
    if (!played(row)) continue;
    panel.dots.push_back(
        {gibibytes(row), step_seconds(row),
         fmt::format("{}: {}, {}, MFU {:.1f} %", in_words(row, o.space), report::time_text(row.figures.step_time_ps),
                     report::bytes_text(row.figures.memory_bytes), 100 * row.figures.mfu),
         group_of(row, best)});
  }
  if (panel.dots.empty()) return {};
  panel.x_log = false;
  return report::svg_of(std::vector<Panel>{panel});
}

// The best step time of each tensor × pipeline; hatched where all that was played does not fit.
std::string heat(const sweep::Outcome& o, const std::vector<Row>& rows) {
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
                      fits ? fmt::format("{:#.4g}", step_seconds(row)) : "no fit", in_words(row, o.space)});
    }
  }
  return map.rows.empty() ? std::string() : report::svg_of(map);
}

// Tokens a second of the best of each number of GPUs, where the space has several.
std::string scaling(const std::vector<Row>& rows) {
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

// Values of a dimension from the bottom up, as the space has them.
report::ParallelAxes::Axis axis_of(const sweep::Dimension& dimension) {
  report::ParallelAxes::Axis axis{last_part(dimension.key), {}};
  const std::size_t last = dimension.values.size() - 1;
  for (std::size_t v = 0; v <= last; ++v)
    axis.ticks.emplace_back(last == 0 ? 0.5 : static_cast<double>(v) / static_cast<double>(last), dimension.values[v]);
  return axis;
}

// A line for each layout over all dimensions and its step time; dimensions of one value say nothing.
std::string parallel(const sweep::Outcome& o, const std::vector<Row>& rows) {
  report::ParallelAxes chart{"Every layout that was played", {}, {}, {"the best", "fits", "does not fit"}};
  std::vector<std::size_t> shown;
  for (std::size_t d = 0; d < o.space.dimensions.size(); ++d)
    if (o.space.dimensions[d].values.size() > 1)
      shown.push_back(d), chart.axes.push_back(axis_of(o.space.dimensions[d]));
  std::set<std::int64_t> best;
  for (const Row& row : o.best) best.insert(row.point);
  double low = 1e300, high = 0;
  for (const Row& row : rows)
    if (played(row)) low = std::min(low, step_seconds(row)), high = std::max(high, step_seconds(row));
  if (shown.empty() || high == 0) return {};
  for (const Row& row : rows) {
    if (!played(row)) continue;
    const std::vector<std::string> values = sweep::values_of(row.point, o.space);
    report::ParallelAxes::Line line{
        {}, fmt::format("{}: {}", in_words(row, o.space), report::time_text(row.figures.step_time_ps))};
    for (std::size_t a = 0; a < shown.size(); ++a)
      for (const auto& [part, value] : chart.axes[a].ticks)
        if (value == values[shown[a]]) line.at.push_back(part);
    line.at.push_back(high > low ? (step_seconds(row) - low) / (high - low) : 0.5);
    line.group = group_of(row, best);
    chart.lines.push_back(std::move(line));
  }
  chart.axes.push_back({"step time, s", {{0, fmt::format("{:.4g}", low)}, {1, fmt::format("{:.4g}", high)}}});
  return report::svg_of(chart);
}

}  // namespace

double step_seconds(const Row& row) {
  return static_cast<double>(row.figures.step_time_ps) / 1e12;
}

std::string sweep_chart(const sweep::Outcome& outcome, const std::vector<Row>& rows, std::string_view name) {
  return name == "pareto"    ? pareto(outcome, rows)
         : name == "heat"    ? heat(outcome, rows)
         : name == "scaling" ? scaling(rows)
                             : parallel(outcome, rows);
}

}  // namespace orrery::cli
