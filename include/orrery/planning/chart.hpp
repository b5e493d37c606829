// Charts as SVG: lines on log or linear axes, and bars on a log axis. Panels stand side by side.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/planning/answer.hpp"

namespace orrery::planning {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
  bool strong = false;  // drawn thick, above the others
};
struct Mark {
  double x = 0, y = 0;
  std::string text;
};
struct Bar {
  std::string name;
  double value = 0;  // more than 0
  int group = 0;     // colour
};
// Lines where there are series (x on a log axis), else bars (values on a log axis).
struct Panel {
  std::string title, x_label, y_label;
  std::vector<Series> series = {};
  std::vector<Mark> marks = {};
  std::vector<Bar> bars = {};
};
std::string svg_of(const std::vector<Panel>& panels);

// Loss against compute with the envelope, against tokens and against parameters, each with the others fixed at
// (parameters, tokens), by Hoffmann et al. approach 3.
Result<std::string> loss_chart(double parameters, double tokens, Catalogue& catalogue = Catalogue::shared());
// Training compute of published models as bars.
Result<std::string> compute_chart(Catalogue& catalogue = Catalogue::shared());
// The picture of an answer: losses of a budget, days and cost of numbers of GPUs, a table of published models. An error
// where there is none.
Result<std::string> chart_of(const Answer& answer, Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::planning
