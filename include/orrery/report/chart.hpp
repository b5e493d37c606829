// Charts as SVG, written here and nowhere else: lines, dots and bars on log or linear axes, and heat maps. Colours are
// CSS variables with defaults for light and dark, so that a chart stands by itself or in a page.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace orrery::report {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
  bool strong = false;  // drawn thick, above the others
};
struct Mark {
  double x = 0, y = 0;
  std::string text;
};
struct Dot {
  double x = 0, y = 0;
  std::string text;  // shown where the pointer rests on it
  int group = 0;     // colour
};
struct Bar {
  std::string name;
  double value = 0;  // more than 0
  int group = 0;     // colour
};
// Bars where there are any (values on a log axis), else lines and dots.
struct Panel {
  std::string title, x_label, y_label;
  std::vector<Series> series = {};
  std::vector<Mark> marks = {};
  std::vector<Bar> bars = {};
  double limit = 0;  // of bars: more than 0 is a dashed line
  std::vector<Dot> dots = {};
  std::vector<std::string> groups = {};  // names of the colours of dots
  bool x_log = true, y_log = false;
  bool diagonal = false;  // where y = x; both axes have the same range then
};
// Panels side by side.
std::string svg_of(const std::vector<Panel>& panels);

// Values in boxes, darker where they are higher; boxes without a value are hatched, those without a text are empty.
struct HeatMap {
  struct Cell {
    std::optional<double> value;
    std::string text, hint;
  };
  std::string title, x_label, y_label;
  std::vector<std::string> columns, rows;
  std::vector<std::vector<Cell>> cells;  // [row][column]
};
std::string svg_of(const HeatMap& map);

// A line for each thing over upright axes, one an attribute, each with values of its own.
struct ParallelAxes {
  struct Axis {
    std::string name;
    std::vector<std::pair<double, std::string>> ticks;  // from 0, below, to 1, above
  };
  struct Line {
    std::vector<double> at;  // [axis] from 0 to 1
    std::string text;        // shown where the pointer rests on it
    int group = 0;           // colour; those of lower groups are above
  };
  std::string title;
  std::vector<Axis> axes;
  std::vector<Line> lines;
  std::vector<std::string> groups = {};  // names of the colours
};
std::string svg_of(const ParallelAxes& chart);

// Text as it may stand in SVG and HTML.
std::string escaped(const std::string& text);

}  // namespace orrery::report
