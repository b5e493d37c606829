// Figures at the borders of their units, colours, the pieces of traces, drawings and pages, letter by letter.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "orrery/report/page.hpp"
#include "report/format.hpp"
#include "report/svg.hpp"
#include "report/trace_counters.hpp"
#include "report/trace_writer.hpp"

namespace orrery::report::figures_test {

TEST_CASE("each unit from its first value on") {
  CHECK(time_text(0) == "0 ps");
  CHECK(time_text(999) == "999 ps");
  CHECK(time_text(1'000) == "1.000 ns");
  CHECK(time_text(12'340) == "12.34 ns");
  CHECK(time_text(123'400) == "123.4 ns");
  CHECK(time_text(1'000'000) == "1.000 us");
  CHECK(time_text(1'000'000'000) == "1.000 ms");
  CHECK(time_text(999'900'000'000) == "999.9 ms");
  CHECK(time_text(1'000'000'000'000) == "1.000 s");
  CHECK(bytes_text(1'024) == "1.00 KiB");
  CHECK(bytes_text(100 * 1'024) == "100 KiB");
  CHECK(bytes_text((1 << 20) - 1'024) == "1023 KiB");
  CHECK(bytes_text(1 << 20) == "1.00 MiB");
  CHECK(bytes_text(1 << 30) == "1.00 GiB");
  CHECK(bytes_text(std::int64_t{1} << 40) == "1024 GiB");
  CHECK(bytes_text(-1) == "-1 B");
  CHECK(parameters_text(999) == "999");
  CHECK(parameters_text(1'000) == "1.00 K");
  CHECK(parameters_text(1'000'000) == "1.00 M");
  CHECK(parameters_text(70'553'706'496) == "70.6 B");
  CHECK(parameters_text(1'008'000'000'000) == "1.01 T");
  CHECK(count_text(0.5) == "0.500");
  CHECK(count_text(12.25) == "12.25");
  CHECK(count_text(999) == "999.0");
  CHECK(count_text(1'000) == "1,000");
  CHECK(count_text(9'999'999) == "9,999,999");
  CHECK(count_text(10'000'000) == "10.0 M");
  CHECK(count_text(2.5e9) == "2.50 B");
  CHECK(count_text(3e12) == "3.00 T");
}

TEST_CASE("integers in groups of three, shares in tenths of a percent") {
  CHECK(integer_text(12) == "12");
  CHECK(integer_text(123) == "123");
  CHECK(integer_text(1'000) == "1,000");
  CHECK(integer_text(999'999) == "999,999");
  CHECK(integer_text(1'000'000) == "1,000,000");
  CHECK(integer_text(-1'234'567) == "-1,234,567");
  CHECK(integer_text(std::numeric_limits<std::int64_t>::min()) == "-9,223,372,036,854,775,808");
  CHECK(percent_text(0.00049) == "< 0.1 %");
  CHECK(percent_text(0.000501) == "0.1 %");
  CHECK(percent_text(1) == "100.0 %");
  CHECK(percent_text(-0.25) == "-25.0 %");
}

TEST_CASE("runs of ranks, four at most, and how many there are") {
  using Ranks = std::vector<std::int32_t>;
  CHECK(rank_list(Ranks{}).empty());
  CHECK(rank_list(Ranks{4, 5}) == "4-5");
  CHECK(rank_list(Ranks{0, 1, 3, 4, 6, 7, 9, 10}) == "0-1, 3-4, 6-7, 9-10");
  CHECK(rank_list(Ranks{0, 1, 3, 4, 6, 7, 9, 10, 12}) == "0-1, 3-4, 6-7, 9-10, … (9 ranks)");
  CHECK(rank_list(Ranks{3, 2, 1}) == "3, 2, 1");
}

TEST_CASE("a figure stays with its unit at the end of a line, and other words do not") {
  using Lines = std::vector<std::string>;
  CHECK(wrap("12 GPUs, 3 s; 4 KiB", 8) == Lines{"12 GPUs,", "3 s;", "4 KiB"});
  CHECK(wrap("12 nodes", 4) == Lines{"12", "nodes"});
  CHECK(wrap("a b", 3) == Lines{"a b"});
  CHECK(wrap("a b", 2) == Lines{"a", "b"});
  CHECK(wrap("µ█ é", 4) == Lines{"µ█ é"});  // columns, not bytes
}

TEST_CASE("colours are there where they are on, and end where the text ends") {
  const Paint on{true}, off{};
  CHECK(on(Tone::plain, "x") == "x");
  CHECK(on(Tone::bold, "x") == "\x1b[1mx\x1b[0m");
  CHECK(on(Tone::good, "x") == "\x1b[1;32mx\x1b[0m");
  CHECK(on(Tone::bad, "x") == "\x1b[1;31mx\x1b[0m");
  CHECK(on(Tone::dim, "x") == "\x1b[90mx\x1b[0m");
  CHECK(off(Tone::bad, "x") == "x");
  CHECK(off(program::Category::compute, "x") == "x");
  std::vector<std::string> all;
  for (std::size_t c = 0; c < program::kCategories; ++c) all.push_back(on(static_cast<program::Category>(c), "x"));
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());  // no two alike
}

TEST_CASE("times of a trace: nearest nanosecond, microseconds without rounding") {
  CHECK(nanoseconds(499) == 0);
  CHECK(nanoseconds(500) == 1);
  CHECK(nanoseconds(1'499) == 1);
  CHECK(nanoseconds(1'500) == 2);
  const auto text = [](std::int64_t ns) { return fmt::format("{}", Microseconds{ns}); };
  CHECK(text(0) == "0");
  CHECK(text(7) == "0.007");
  CHECK(text(1'000) == "1");
  CHECK(text(12'340) == "12.340");
  CHECK(text(9'007'199'254'740'993'001) == "9007199254740993.001");  // a double has no such number
}

TEST_CASE("events of a trace, as the viewers read them") {
  std::string out;
  const std::function<void(std::string_view)> write = [&](std::string_view part) { out += part; };
  TraceWriter writer(write, "\"a\": 1");
  TraceArguments arguments;
  arguments.add("n", 3);
  arguments.add_text("t", "x");
  arguments.add_real("r", 12345.678);
  writer.process(5, 2, "stage 0");
  writer.thread(5, 7, "compute");
  writer.slice({5, 7, 1'500}, 4'000, "F", "compute", "good", arguments);
  writer.arrow({5, 7, 2'000}, {6, 8, 3'001}, "act", "pipeline");
  writer.arrow({5, 7, 1}, {6, 8, 2}, "grad", "pipeline");
  writer.counter(5, 10, "memory", "\"bytes\":4");
  writer.instant({5, 7, 9}, "end");
  writer.raw("{}");
  CHECK(out.empty());  // in parts, not event by event
  CHECK(writer.events() == 12);
  writer.close();
  CHECK(
      out ==
      "{\"a\": 1,\n\"traceEvents\": [\n"
      R"({"ph":"M","pid":5,"name":"process_name","args":{"name":"stage 0"}},)"
      "\n"
      R"({"ph":"M","pid":5,"name":"process_sort_index","args":{"sort_index":2}},)"
      "\n"
      R"({"ph":"M","pid":5,"tid":7,"name":"thread_name","args":{"name":"compute"}},)"
      "\n"
      R"({"ph":"M","pid":5,"tid":7,"name":"thread_sort_index","args":{"sort_index":7}},)"
      "\n"
      R"({"ph":"X","pid":5,"tid":7,"ts":1.500,"dur":2.500,"name":"F","cat":"compute","cname":"good","args":{"n":3,"t":"x","r":1.235e+04}},)"
      "\n"
      R"({"ph":"s","id":1,"pid":5,"tid":7,"ts":2,"name":"act","cat":"pipeline"},)"
      "\n"
      R"({"ph":"f","bp":"e","id":1,"pid":6,"tid":8,"ts":3.001,"name":"act","cat":"pipeline"},)"
      "\n"
      R"({"ph":"s","id":2,"pid":5,"tid":7,"ts":0.001,"name":"grad","cat":"pipeline"},)"
      "\n"
      R"({"ph":"f","bp":"e","id":2,"pid":6,"tid":8,"ts":0.002,"name":"grad","cat":"pipeline"},)"
      "\n"
      R"({"ph":"C","pid":5,"ts":0.010,"name":"memory","args":{"bytes":4}},)"
      "\n"
      R"({"ph":"i","s":"g","pid":5,"tid":7,"ts":0.009,"name":"end"},)"
      "\n{}\n]}\n");
  arguments.clear();
  CHECK(arguments.text().empty());
}

TEST_CASE("a curve keeps the last of each instant, changes alone, the ends and the peaks") {
  CHECK(thinned({}, 5).empty());
  CHECK(thinned({{0, 1}, {0, 2}, {3, 2}, {4, 3}, {6, 0}}, 9) == Curve{{0, 2}, {4, 3}, {6, 0}});
  Curve saw;
  for (std::int64_t i = 0; i < 10; ++i) saw.emplace_back(i, static_cast<double>(i % 2 ? i : 0));
  // Ten samples to five: the first, the higher of each two, the last.
  CHECK(thinned(saw, 5) == Curve{{0, 0}, {1, 1}, {3, 3}, {5, 5}, {7, 7}, {9, 9}});
  CHECK(thinned(saw, 10) == saw);
}

TEST_CASE("elements of a drawing, with texts that may hold anything") {
  CHECK(escaped("a<b>&\"c\"'") == "a&lt;b&gt;&amp;&quot;c&quot;'");
  Svg svg(100.4, 50, "<label>");
  svg.rect(1, 2.25, 3, 4, "k0");
  svg.rect(1, 2, 3, 4, "k1", "a & b");
  svg.line(0, 1, 2, 3, "grid");
  svg.text(5, 6, "1 < 2");
  svg.text(5, 6, "x", "end", "faint");
  const std::string all = svg.close();
  CHECK(all.starts_with(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"&lt;label&gt;\" "
      "width=\"100\" height=\"50\" viewBox=\"0 0 100 50\" class=\"small\" style=\"--w:100px\">\n<style>"));
  CHECK(Svg(620, 50, "").close().find("class=\"small\"") != std::string::npos);
  CHECK(Svg(621, 50, "").close().find("class=\"small\"") == std::string::npos);
  CHECK(all.ends_with(
      "<rect x=\"1.0\" y=\"2.2\" width=\"3.0\" height=\"4.0\" class=\"k0\"/>\n"
      "<rect x=\"1.0\" y=\"2.0\" width=\"3.0\" height=\"4.0\" class=\"k1\"><title>a &amp; b</title></rect>\n"
      "<line x1=\"0.0\" y1=\"1.0\" x2=\"2.0\" y2=\"3.0\" class=\"grid\"/>\n"
      "<text x=\"5.0\" y=\"6.0\" text-anchor=\"start\" class=\"ink\">1 &lt; 2</text>\n"
      "<text x=\"5.0\" y=\"6.0\" text-anchor=\"end\" class=\"faint\">x</text>\n</svg>\n"));
}

TEST_CASE("pieces of a page") {
  CHECK(paragraph_html("1 < 2 & 3") == "<p>1 &lt; 2 &amp; 3</p>\n");
  CHECK(table_html({{"name", false}, {"s"}}, {{"a<b", "1"}, {"c", "2"}}) ==
        "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">name</th><th scope=\"col\" class=\"r\">s</th>"
        "</tr></thead>\n<tbody>\n<tr><td>a&lt;b</td><td class=\"r\">1</td></tr>\n"
        "<tr><td>c</td><td class=\"r\">2</td></tr>\n</tbody></table></div>\n");
  const std::string page =
      to_html({"A & B", "sub", {{"label", "1 s", "a \"hint\""}}, {{"Heading", "<p>x</p>\n"}}, "<script/>"});
  CHECK(page.find("<title>A &amp; B</title>") != std::string::npos);
  CHECK(page.find("<h1>A &amp; B</h1>\n<p class=\"sub\">sub</p>") != std::string::npos);
  CHECK(page.find("<dl>\n<div title=\"a &quot;hint&quot;\"><dt>label</dt><dd>1 s</dd></div>\n</dl>\n<section>\n"
                  "<h2>Heading</h2>\n<p>x</p>\n</section>\n<footer>") != std::string::npos);
  CHECK(page.ends_with("</main>\n<script/></body>\n</html>\n"));
  CHECK(to_html({"t", ""}).find("<dl>") == std::string::npos);  // no figures, no list of them
}

}  // namespace orrery::report::figures_test
