#include <algorithm>

#include "svg.hpp"

namespace orrery::report {
namespace {

constexpr double kAxisGap = 104, kAxisSide = 60, kAxisTop = 76, kAxisHeight = 300, kAxisBottom = 24;

double axis_x(std::size_t axis) {
  return kAxisSide + kAxisGap * static_cast<double>(axis);
}
double axis_y(double part) {
  return kAxisTop + (1 - part) * kAxisHeight;
}

void draw(const ParallelAxes::Line& line, Svg& svg) {
  std::string points;
  for (std::size_t a = 0; a < line.at.size(); ++a)
    points += fmt::format("{:.1f},{:.1f} ", axis_x(a), axis_y(line.at[a]));
  svg.raw(fmt::format("<polyline points=\"{}\" class=\"s{} thin\" stroke-opacity=\"{}\"><title>{}</title></polyline>\n",
                      points, line.group % 8, line.group == 0 ? "1" : "0.35", escaped(line.text)));
}

}  // namespace

std::string svg_of(const ParallelAxes& chart) {
  const std::size_t last = chart.axes.empty() ? 0 : chart.axes.size() - 1;
  Svg svg(axis_x(last) + kAxisSide, axis_y(0) + kAxisBottom, chart.title);
  svg.text(8, 18, chart.title, "start", "ink bold");
  double legend = 8;
  for (std::size_t g = 0; g < chart.groups.size(); ++g) {
    svg.text(legend, 36, "● " + chart.groups[g], "start", fmt::format("s{}", g % 8));
    legend += 24 + 6.2 * static_cast<double>(chart.groups[g].size());
  }
  std::vector<const ParallelAxes::Line*> lines;
  for (const ParallelAxes::Line& line : chart.lines) lines.push_back(&line);
  std::stable_sort(lines.begin(), lines.end(), [](const auto* a, const auto* b) { return a->group > b->group; });
  for (const ParallelAxes::Line* line : lines) draw(*line, svg);
  for (std::size_t a = 0; a < chart.axes.size(); ++a) {
    // Names stand on two levels in turn: neighbours are often longer than the room between their axes.
    svg.text(axis_x(a), kAxisTop - (a % 2 == 0 ? 10 : 24), chart.axes[a].name, "middle", "ink bold");
    svg.line(axis_x(a), axis_y(0), axis_x(a), axis_y(1), "grid");
    for (const auto& [part, text] : chart.axes[a].ticks)
      svg.text(axis_x(a) + 5, axis_y(part) + 4, text, "start", "ink halo");
  }
  return svg.close();
}

}  // namespace orrery::report
