// Axes of charts: their ticks, where values stand, and what stands beside them.
#include <doctest/doctest.h>

#include "../count.hpp"
#include "orrery/report/chart.hpp"

namespace orrery::report::axes_test {

using orrery::testing::count;

namespace {

// Texts of the ticks of the axis below (anchored in their middle) or at the left (at their end).
std::string ticks(const std::string& svg, const char* anchor) {
  std::string all;
  const std::string begin = "text-anchor=\"" + std::string(anchor) + "\" class=\"faint\">";
  for (std::size_t at = svg.find(begin); at != std::string::npos; at = svg.find(begin, at + 1)) {
    const std::size_t from = at + begin.size();
    all += svg.substr(from, svg.find('<', from) - from) + " ";
  }
  return all;
}

Panel of(std::vector<std::pair<double, double>> points, bool x_log, bool y_log) {
  Panel panel{"t", "x", "y", {{"a", std::move(points)}}};
  panel.x_log = x_log, panel.y_log = y_log;
  return panel;
}

std::string x_ticks(double low, double high, bool log) {
  return ticks(svg_of(std::vector<Panel>{of({{low, 1}, {high, 2}}, log, false)}), "middle");
}
std::string y_ticks(double low, double high, bool log) {
  return ticks(svg_of(std::vector<Panel>{of({{1, low}, {10, high}}, true, log)}), "end");
}

}  // namespace

TEST_CASE("log axes: whole decades around the values, at most seven ticks") {
  CHECK(x_ticks(1, 1'000, true) == "1 10 100 1000 ");
  CHECK(x_ticks(2, 300, true) == "1 10 100 1000 ");
  CHECK(x_ticks(10, 10, true) == "10 100 ");  // one value: a decade from it on
  CHECK(x_ticks(0.001, 0.1, true) == "0.001 0.01 0.1 ");
  CHECK(x_ticks(1e-5, 1e-4, true) == "1e-5 1e-4 ");
  CHECK(x_ticks(1e4, 1e6, true) == "10000 1e5 1e6 ");
  CHECK(x_ticks(1, 1e6, true) == "1 10 100 1000 10000 1e5 1e6 ");  // six decades
  CHECK(x_ticks(1, 1e7, true) == "1 100 10000 1e6 ");              // seven: every second
  CHECK(x_ticks(1, 1e13, true) == "1 1000 1e6 1e9 1e12 ");         // thirteen: every third
  CHECK(y_ticks(1, 100, true) == "1 10 100 ");
}

TEST_CASE("linear axes: steps of 1, 2 or 5, with a twentieth of room on both sides") {
  CHECK(y_ticks(0, 10, false) == "0 2 4 6 8 10 ");           // from -0.5 to 10.5: 11 steps of 1 are too many
  CHECK(y_ticks(0, 8, false) == "0 2 4 6 8 ");               // 8.8 of 1
  CHECK(y_ticks(0, 7, false) == "0 1 2 3 4 5 6 7 ");         // 7.7 of 1
  CHECK(y_ticks(0, 35, false) == "0 5 10 15 20 25 30 35 ");  // 38.5 of 1: fives
  CHECK(y_ticks(-1, 1, false) == "-1 -0.5 0 0.5 1 ");        // 22 steps of 0.1: fives
  CHECK(y_ticks(0.1, 0.3, false) == "0.1 0.15 0.2 0.25 0.3 ");
  CHECK(x_ticks(100, 300, false) == "100 150 200 250 300 ");
}

// The frame goes from 64 to 504 and, downwards, from 40 to 344.
TEST_CASE("points stand where their values are") {
  const std::string logs = svg_of(std::vector<Panel>{of({{1, 1}, {10, 100}}, true, true)});
  CHECK(logs.find("<polyline points=\"64.0,344.0 504.0,40.0 \" class=\"s0 thin\"/>") != std::string::npos);
  // 0 and 10 with half a unit of room: 20 and 420 pixels of 440 in 11 units of 40.
  const std::string linear = svg_of(std::vector<Panel>{of({{0, 1}, {10, 100}}, false, true)});
  CHECK(linear.find("<polyline points=\"84.0,344.0 484.0,40.0 \"") != std::string::npos);
  Panel marked = of({{1, 1}, {10, 100}}, true, true);
  marked.marks = {{10, 1, "here & now"}};
  const std::string svg = svg_of(std::vector<Panel>{marked});
  CHECK(svg.find("<circle cx=\"504.0\" cy=\"344.0\" r=\"4.5\" class=\"s1\"/>\n"
                 "<text x=\"496.0\" y=\"360.0\" text-anchor=\"end\" class=\"ink\">here &amp; now</text>") !=
        std::string::npos);
  // The second panel stands beside the first.
  const std::string two = svg_of(std::vector<Panel>{marked, of({{1, 1}, {10, 100}}, true, true)});
  CHECK(two.find("<polyline points=\"584.0,344.0 1024.0,40.0 \"") != std::string::npos);
}

TEST_CASE("names of series stand in a legend where there are several; colours come round after eight") {
  Panel panel = of({{1, 1}, {10, 2}}, true, false);
  CHECK(svg_of(std::vector<Panel>{panel}).find(">a</text>") == std::string::npos);
  panel.series.push_back({"b", {{1, 2}, {10, 3}}, true});
  const std::string two = svg_of(std::vector<Panel>{panel});
  CHECK(two.find("<text x=\"496.0\" y=\"56.0\" text-anchor=\"end\" class=\"s0\">a</text>") != std::string::npos);
  CHECK(two.find("<text x=\"496.0\" y=\"71.0\" text-anchor=\"end\" class=\"ink bold\">b</text>") != std::string::npos);
  CHECK(two.find("class=\"strong\"/>") != std::string::npos);
  for (int i = 0; i < 8; ++i) panel.series.push_back({"more", {{1, 1}, {10, 2}}});
  CHECK(count(svg_of(std::vector<Panel>{panel}), "class=\"s0 thin\"") == 2);  // the first and the ninth
}

TEST_CASE("bars rise from the decade below the least, with their values above and their names below") {
  Panel panel{"Bars", "", "y"};
  panel.bars = {{"one <1>", 10, 0}, {"two", 1000, 9}};
  const std::string svg = svg_of(std::vector<Panel>{panel});
  // Log from 1 (9.9 and below) to 1000 on 248 pixels from 288 up: 10 at a third. Each bar is 70 % of 220 pixels.
  CHECK(svg.find("<rect x=\"97.0\" y=\"205.3\" width=\"154.0\" height=\"82.7\" class=\"s0\"/>") != std::string::npos);
  CHECK(svg.find("<rect x=\"317.0\" y=\"40.0\" width=\"154.0\" height=\"248.0\" class=\"s1\"/>") != std::string::npos);
  CHECK(svg.find(">10</text>") != std::string::npos);
  CHECK(svg.find(">1000</text>") != std::string::npos);
  CHECK(svg.find("rotate(-60 178.0 296.0)\">one &lt;1&gt;</text>") != std::string::npos);
  // Many bars need more than the usual width: 44 each.
  for (int i = 0; i < 18; ++i) panel.bars.push_back({"x", 10, 0});
  CHECK(svg_of(std::vector<Panel>{panel}).find("viewBox=\"0 0 960 400\"") != std::string::npos);  // 80 + 20 · 44
}

TEST_CASE("a diagonal gives both axes the range of both") {
  Panel panel{"t", "x", "y"};
  panel.dots = {{2, 50, "far", 0}};
  panel.y_log = panel.diagonal = true;
  const std::string svg = svg_of(std::vector<Panel>{panel});
  CHECK(ticks(svg, "middle") == "1 10 100 ");
  CHECK(ticks(svg, "end") == "1 10 100 ");
  CHECK(svg.find("<line x1=\"64.0\" y1=\"344.0\" x2=\"504.0\" y2=\"40.0\" class=\"grid\"/>") != std::string::npos);
}

TEST_CASE("a heat map of equal values is light, and wide enough for its title") {
  const HeatMap map{"Map", "x", "y", {"a"}, {"r"}, {{{3.0, "3 <s>", "hint & all"}}}};
  const std::string svg = svg_of(map);
  CHECK(svg.find("fill=\"hsl(32 90% 92%)\"><title>hint &amp; all</title>") != std::string::npos);
  CHECK(svg.find(">3 &lt;s&gt;</text>") != std::string::npos);
  CHECK(svg.find("viewBox=\"0 0 320 132\"") != std::string::npos);  // 84 + 74 + 16 is less; 64 + 34 + 34 high
  CHECK(svg.find(">y \\ x</text>") != std::string::npos);
  const HeatMap none{"Map", "x", "y", {"a", "b"}, {"r"}, {{{std::nullopt, "-", "why"}, {}}}};
  CHECK(count(svg_of(none), "class=\"hatch\"") == 1);
}

}  // namespace orrery::report::axes_test
