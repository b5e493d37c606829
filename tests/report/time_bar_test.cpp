// The legend of the time bar fills its lines: no entry stands on the next that would have fitted.
#include <doctest/doctest.h>

#include "example.hpp"
#include "report/text_parts.hpp"

namespace orrery::report::time_bar_test {

TEST_CASE("the legend breaks where the next entry does not fit, and only there") {
  RunResult run = testing::run_example();
  for (engine::Breakdown& parts : run.split) parts.fill(run.timeline.step_time.value / 10);
  run.split[0][0] = run.split[1][0] = run.timeline.step_time.value - 9 * (run.timeline.step_time.value / 10);
  const Metrics m = metrics_of(run);
  int exact = 0;
  for (int width = 40; width <= 130; ++width) {
    const std::vector<std::string> lines = time_bar(m, {.colour = false, .width = width});
    REQUIRE(lines.size() >= 2);
    for (std::size_t i = 1; i < lines.size(); ++i) {
      CHECK(columns(lines[i]) <= width);
      exact += columns(lines[i]) == width ? 1 : 0;
      if (i + 1 == lines.size()) break;
      const std::string& next = lines[i + 1];
      const std::string first = next.substr(2, next.find("   ", 2) - 2);  // its first entry, after the indent
      CHECK(columns(lines[i]) + 3 + columns(first) > width);
    }
  }
  CHECK(exact > 3);
}

}  // namespace orrery::report::time_bar_test
