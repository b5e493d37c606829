#include "orrery/report/chart.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "../count.hpp"

namespace orrery::report::chart_test {

using orrery::testing::count;

namespace {

void check_svg(const std::string& svg) {
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label="));
  CHECK(svg.ends_with("</svg>\n"));
  for (const char* wrong : {"nan", "inf", "http://", "https://"})
    CHECK(count(svg, wrong) == (std::string_view(wrong) == "http://" ? 1 : 0));  // the name space alone
  for (const char* tag : {"<text", "<title"}) CHECK(count(svg, tag) == count(svg, std::string("</") + (tag + 1)));
}

}  // namespace

TEST_CASE("dots have their hint, groups their name, equal axes their diagonal") {
  Panel panel{"Errors <all>", "measured", "predicted"};
  panel.dots = {{1, 1.1, "row \"a\" & b", 0}, {10, 9, "c", 1}, {100, 130, "d", 1}};
  panel.groups = {"one", "two"};
  panel.x_log = panel.y_log = panel.diagonal = true;
  const std::string svg = svg_of(std::vector<Panel>{panel});
  check_svg(svg);
  CHECK(count(svg, "<circle") == 3);
  CHECK(svg.find("<title>row &quot;a&quot; &amp; b</title>") != std::string::npos);
  CHECK(svg.find("Errors &lt;all&gt;") != std::string::npos);
  CHECK(svg.find("● two") != std::string::npos);
  // From 1 to 1000 on both axes, 440 by 304 pixels: (10, 9) stands at a third, and a little less than a third.
  CHECK(svg.find("cx=\"210.7\" cy=\"247.3\"") != std::string::npos);
  // The title stands over the middle of [64, 504], the label below it.
  CHECK(svg.find("<text x=\"284.0\" y=\"26.0\" text-anchor=\"middle\" class=\"ink bold\">Errors") != std::string::npos);
  CHECK(svg.find("<text x=\"284.0\" y=\"392.0\" text-anchor=\"middle\"") != std::string::npos);
}

TEST_CASE("lines and bars, side by side") {
  const Panel lines{
      "Loss", "FLOPs", "loss", {{"a", {{1, 2}, {100, 1}}}, {"b", {{1, 3}, {100, 2}}, true}}, {{10, 2, "here"}}};
  Panel bars{"Compute", "", "days"};
  bars.bars = {{"one", 1, 0}, {"two", 1000, 1}};
  const std::string svg = svg_of(std::vector<Panel>{lines, bars});
  check_svg(svg);
  CHECK(count(svg, "<polyline") == 2);
  CHECK(svg.find("class=\"strong\"") != std::string::npos);
  CHECK(svg.find("viewBox=\"0 0 1040 400\"") != std::string::npos);
  CHECK(svg.find("aria-label=\"Loss, Compute\"") != std::string::npos);
}

// One value alone makes an axis, too.
TEST_CASE("a single point is drawn") {
  Panel panel{"One", "x", "y"};
  panel.dots = {{5, 5, "", 0}};
  panel.x_log = false;
  check_svg(svg_of(std::vector<Panel>{panel}));
}

TEST_CASE("a heat map says what fits, what does not, and leaves out what is not there") {
  const HeatMap map{"Step time", "tensor",
                    "pipeline",  {"1", "2"},
                    {"1", "4"},  {{{2.0, "2", "slow"}, {1.0, "1", "fast"}}, {{std::nullopt, "no fit", "large"}, {}}}};
  const std::string svg = svg_of(map);
  check_svg(svg);
  CHECK(count(svg, "class=\"hatch\"") == 1);
  CHECK(svg.find("hsl(32 90% 58%)\"><title>slow") != std::string::npos);  // the highest is darkest
  CHECK(svg.find("hsl(32 90% 92%)\"><title>fast") != std::string::npos);
  CHECK(svg.find(">no fit<") != std::string::npos);
}

}  // namespace orrery::report::chart_test
