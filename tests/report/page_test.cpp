#include "orrery/report/page.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "../count.hpp"
#include "example.hpp"

namespace orrery::report::page_test {

using orrery::testing::count;

TEST_CASE("a page is one file that asks for nothing") {
  Page page{"A <b> & \"c\"", "under it"};
  page.figures = {{"MFU", "51 %", "model FLOPs"}};
  page.sections = {{"One", table_html({{"name", false}, {"n"}}, {{"<x>", "1"}, {"y", "2"}})},
                   {"Two", paragraph_html("p & q")}};
  const std::string html = to_html(page);
  CHECK(html.starts_with("<!doctype html>\n<html lang=\"en\">"));
  CHECK(html.find("<title>A &lt;b&gt; &amp; &quot;c&quot;</title>") != std::string::npos);
  CHECK(html.find("<td>&lt;x&gt;</td><td class=\"r\">1</td>") != std::string::npos);
  CHECK(html.find("<p>p &amp; q</p>") != std::string::npos);
  CHECK(count(html, "<section>") == 2);
  for (const char* from_outside : {"src=", "@import", "<link rel=\"stylesheet", "fetch(", "https://"})
    CHECK(html.find(from_outside) == std::string::npos);
}

// Bars of the waterfall begin at 300 and are 620 long; names end left of them, values stand right of them.
TEST_CASE("rows of the charts of a run stand where their bars do") {
  const RunResult run = orrery::report::testing::run_example({.ranks = 4, .micro_batches = 8});
  const std::string waterfall = run_chart(run, "waterfall");
  CHECK(waterfall.find("x=\"290.0\" y=\"18.0\" text-anchor=\"end\" class=\"ink\">peak<") != std::string::npos);
  CHECK(waterfall.find("<title>peak: 100.0 %</title>") != std::string::npos);
  CHECK(waterfall.find("x=\"928.0\"") != std::string::npos);
  const std::string staircase = run_chart(run, "timeline");
  const std::size_t label = staircase.find(">stage 0, rank 0<");
  REQUIRE(label != std::string::npos);
  const std::size_t text = staircase.rfind("<text x=\"", label) + 9, bar = staircase.find("<rect x=\"", label) + 9;
  CHECK(std::stod(staircase.substr(bar)) - std::stod(staircase.substr(text)) == 8);
}

// Four stages, each a row of the staircase and of the split, a panel of the memory, a row of the timeline.
TEST_CASE("the page of a run has its pictures and its tables") {
  RunResult run = orrery::report::testing::run_example({.ranks = 4, .micro_batches = 8});
  run.placement.devices = {0, 1, 2, 3};
  run.placement.per_node = 2;
  run.sources = {{"model toy", "nowhere <really>"}};
  const std::string html = to_html(page_of(run));
  CHECK(count(html, "role=\"img\"") == 5);  // canvas, staircase, split, waterfall, memory
  CHECK(count(html, "<h2>") == 13);
  CHECK(count(html, "<table>") == 5);  // path, stages, operators, ranks, inputs
  CHECK(html.find("stage 3, rank 3") != std::string::npos);
  const std::size_t stages = html.find("parameters of a GPU");
  CHECK(count(html.substr(stages, html.find("</table>", stages) - stages), "<tr>") == 4);
  CHECK(html.find("nowhere &lt;really&gt;") != std::string::npos);
  CHECK(html.find("nan") == std::string::npos);
  // Two nodes of two GPUs.
  CHECK(html.find("<td class=\"r\">1</td><td>2 (stage 2)</td><td>3 (stage 3)</td>") != std::string::npos);
  const std::size_t from = html.find("id=\"bars\">") + 10;
  const auto bars = nlohmann::json::parse(html.substr(from, html.find("</script>", from) - from));
  REQUIRE(bars["rows"].size() == 4);
  CHECK(bars["end"] == run.timeline.makespan.value / 1000);
  for (const auto& row : bars["rows"]) CHECK(row["p"].size() == 16);  // F and B of 8 micro-batches
  CHECK(bars["names"][bars["rows"][0]["p"][0][2].get<std::size_t>()] == "F");
}

TEST_CASE("the page names the measured runs most like it and their error, or says that there are none") {
  const RunResult run = orrery::report::testing::run_example({.ranks = 2, .micro_batches = 2});
  const std::string alone = to_html(page_of(run));
  CHECK(alone.find("a prediction without a measured neighbour") != std::string::npos);
  // Sizes of errors: (10 + 4) / 2 = 7 %.
  const std::string held = to_html(page_of(run, {{"row-1", "a < b", 0.10}, {"row-2", "another", -0.04}}));
  for (const char* words :
       {"are 7.0 % off in the mean", "<td>row-1</td><td>a &lt; b</td><td class=\"r\">+10.0 %</td>", "-4.0 %"})
    CHECK(held.find(words) != std::string::npos);
  CHECK(count(held, "<table>") == count(alone, "<table>") + 1);
}

}  // namespace orrery::report::page_test
