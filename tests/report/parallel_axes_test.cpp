// Lines over upright axes: where they stand, and which are above.
#include <doctest/doctest.h>

#include "../count.hpp"
#include "orrery/report/chart.hpp"

namespace orrery::report::parallel_axes_test {

using orrery::testing::count;

TEST_CASE("a line goes from axis to axis at its values, the best above the others") {
  ParallelAxes chart{"Layouts <all>", {}, {}, {"best", "fits"}};
  chart.axes = {{"tensor", {{0, "1"}, {1, "8"}}}, {"pipeline", {{0.5, "4"}}}, {"step", {{0, "1.2"}, {1, "3.4"}}}};
  chart.lines = {{{0, 0.5, 1}, "first & best", 0}, {{1, 0.5, 0}, "second", 1}};
  const std::string svg = svg_of(chart);
  CHECK(count(svg, "<polyline") == 2);
  CHECK(svg.find("Layouts &lt;all&gt;") != std::string::npos);
  CHECK(svg.find("<title>first &amp; best</title>") != std::string::npos);
  for (const char* text : {">tensor<", ">pipeline<", ">step<", ">8<", ">3.4<", "● best", "● fits"})
    CHECK(svg.find(text) != std::string::npos);
  // Axes 104 pixels apart from 60 on, values from 376 (0) up to 76 (1).
  CHECK(svg.find("points=\"60.0,376.0 164.0,226.0 268.0,76.0 \" class=\"s0 thin\"") != std::string::npos);
  CHECK(svg.find("points=\"60.0,76.0 164.0,226.0 268.0,376.0 \" class=\"s1 thin\"") != std::string::npos);
  CHECK(svg.find("class=\"s1 thin\"") < svg.find("class=\"s0 thin\""));  // drawn later: above
}

TEST_CASE("without axes there is a drawing, and nothing on it") {
  CHECK(count(svg_of(ParallelAxes{"nothing", {}, {}, {}}), "<polyline") == 0);
}

}  // namespace orrery::report::parallel_axes_test
