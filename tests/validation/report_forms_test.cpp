// A report whose rows are known, as text, side by side and as JSON; conditions and their refusals.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "orrery/validation/validate.hpp"
#include "validation/kinds.hpp"

namespace orrery::validation::report_forms_test {

using Json = nlohmann::json;

namespace {

Row measured(const char* id, double reference, double predicted) {
  Row r;
  r.id = id;
  r.figures = {{"step_time_s", false, reference, predicted}, {"peak_memory_gib", false, {}, 40.0}};
  r.groups = {{"stack", "nemo"}};
  r.what = "of " + std::string(id);
  return r;
}

Row oracle(const char* id, Value reference, Value predicted, std::optional<bool> equal) {
  Row r;
  r.id = id;
  r.figures = {{"makespan", true, std::move(reference), std::move(predicted)}};
  r.equal = equal;
  r.what = "1f1b";
  return r;
}

Report of(std::vector<Row> rows, FileKind kind = FileKind::runs) {
  Report report{kind, "t.csv", "", std::move(rows), {}};
  report.groups = groups_of(report.rows);
  return report;
}

}  // namespace

TEST_CASE("exact rows: those that differ, and those of which nothing was expected; lists and words") {
  Report report = of({oracle("same", 3.0, 3.0, true), oracle("other", 3.0, 4.5, false), oracle("free", {}, 4.0, {}),
                      oracle("list", std::vector<double>{4, 3}, std::vector<double>{4, 2.5}, false),
                      oracle("word", std::string("deadlock"), std::string("finishes"), false),
                      oracle("empty", {}, std::vector<double>{}, {})},
                     FileKind::schedules);
  CHECK(to_text(report) ==
        "other                         DIFFERS  makespan 4.5 (expected 3)  1f1b\n"
        "free                          makespan 4  1f1b\n"
        "list                          DIFFERS  makespan 4;2.5 (expected 4;3)  1f1b\n"
        "word                          DIFFERS  makespan finishes (expected deadlock)  1f1b\n"
        "empty                         makespan -  1f1b\n"
        "6 rows: 6 predicted, 0 refused; 1 of 4 equal to what is expected\n");
  CHECK(report.unequal() == 3);
  CHECK_FALSE(report.nothing_predicted());
}

TEST_CASE("refusals by their reason, five rows named of each, the first reason first") {
  std::vector<Row> rows;
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
    rows.emplace_back().id = id;
    rows.back().why = id[0] == 'b' ? "no stack" : "no GPU";
  }
  Report report = of(rows);
  CHECK(to_text(report) ==
        "refused 5 (a, c, d, e, f): no GPU\nrefused 1 (b): no stack\n6 rows: 0 predicted, 6 refused\n");
  CHECK(report.nothing_predicted());
  rows.emplace_back().id = "g";
  rows.back().why = "no GPU";
  CHECK(to_text(of(rows)).starts_with("refused 6 (a, c, d, e, f, …): no GPU\n"));
  // An oracle that expects the refusal is met by it.
  rows.back().equal = true;
  CHECK_FALSE(of(rows).nothing_predicted());
  CHECK(of({}).nothing_predicted());
  const std::vector<Refusal> refusals = refusals_of(report);
  REQUIRE(refusals.size() == 2);
  CHECK(refusals[0].ids == std::vector<std::string>{"a", "c", "d", "e", "f"});
}

TEST_CASE("of more than ten rows the ten that miss most are shown, each way, the first of equals first") {
  std::vector<Row> rows;
  for (int i = 0; i < 12; ++i) rows.push_back(measured(("r" + std::to_string(i)).c_str(), 100, 100 + (i % 2 ? i : -i)));
  rows[3].counts = false;
  const std::string text = to_text(of(rows));
  CHECK(text.find("worst rows of step_time_s") != std::string::npos);
  CHECK(text.find("r11                                  100         111   +11.0 %  of r11\n"
                  "r10                                  100          90   -10.0 %  of r10\n"
                  "r9 ") != std::string::npos);
  CHECK(text.find("\nr1 ") != std::string::npos);
  CHECK(text.find("\nr0 ") == std::string::npos);                // the eleventh
  CHECK(text.find("\nr3 ") == std::string::npos);                // does not count
  CHECK(text.find("peak_memory_gib per") == std::string::npos);  // nothing was measured of it
}

TEST_CASE("medians of an even and an odd number of rows; the narrower statistics beside") {
  std::vector<Row> rows{measured("a", 10, 11), measured("b", 10, 8), measured("c", 10, 14)};
  const auto all = [&] { return groups_of(rows).front().figures.front().all; };
  CHECK(all().median_abs_error == doctest::Approx(0.2));
  CHECK(all().p90_abs_error == doctest::Approx(0.4));
  rows.push_back(measured("d", 10, 10));
  CHECK(all().median_abs_error == doctest::Approx(0.15));  // of 0, 10, 20 and 40 %
  CHECK(all().bias == doctest::Approx(0.075));
  rows[1].in_subset = true;
  const Statistics subset = groups_of(rows).front().figures.front().subset;
  CHECK(subset.rows == 1);
  CHECK(subset.bias == doctest::Approx(-0.2));
  // The ninth decile by the nearest rank: the 9th of ten, the 10th of eleven.
  rows.clear();
  for (int i = 1; i <= 10; ++i) rows.push_back(measured("x", 100, 100 + i));
  CHECK(all().p90_abs_error == doctest::Approx(0.09));
  rows.push_back(measured("x", 100, 111));
  CHECK(all().p90_abs_error == doctest::Approx(0.10));
  rows[0].figures[0].reference = 0.0;  // nothing is relative to nothing
  CHECK(all().rows == 10);
}

TEST_CASE("rows side by side: columns that differ, figures, and the parts that any has") {
  Report report = of({measured("a", 10, 11), measured("long_name_of_a_row", 20, 19)});
  report.rows[0].groups = {{"tp", "2"}, {"pp", ""}};
  report.rows[1].groups = {{"tp", "4"}, {"pp", "8"}};
  report.rows[0].split_s = {{"compute", 9.5}, {"bubble", 1.5}};
  report.rows[1].split_s = {{"compute", 18}, {"host", 0.25}};
  report.rows[1].memory_gib = {{"weights", 12.345678}};
  report.rows[1].figures[1].predicted = {};
  report.rows[1].why = "out of memory";
  CHECK(side_by_side(report) ==
        "row                            a  long_name_of_a_row\n"
        "tp                             2                   4\n"
        "pp                             -                   8\n"
        "\n"
        "step_time_s                   10                  20\n"
        "  predicted                   11                  19\n"
        "  error                  +10.0 %              -5.0 %\n"
        "  compute                    9.5                  18\n"
        "  bubble                     1.5                   -\n"
        "  host                         -                0.25\n"
        "peak_memory_gib                -                   -\n"
        "  predicted                   40                   -\n"
        "  weights                      -               12.35\n"
        "refused long_name_of_a_row: out of memory\n");
  CHECK(side_by_side(of({})).empty());
}

TEST_CASE("a report as JSON: what is known of each row, null where nothing was measured") {
  Report report = of({measured("a", 10, 11), measured("b", 10, 9)});
  report.rows[0].split_s = {{"compute", 9.5}};
  report.rows[1].memory_gib = {{"weights", 2.5}};
  report.rows[1].in_subset = true;
  report.rows.push_back(oracle("c", 3.0, {}, false));
  report.rows[2].why = "no such schedule";
  report.subset = "tier_a";
  report.groups = groups_of({report.rows[0], report.rows[1]});
  const Json json = Json::parse(to_json(report));
  CHECK(json["schema"] == "orrery.validate/1");
  CHECK(json["kind"] == "runs");
  CHECK(json["rows"][0] == Json{{"id", "a"},
                                {"measured_step_time_s", 10.0},
                                {"predicted_step_time_s", 11.0},
                                {"predicted_peak_memory_gib", 40.0},
                                {"split_s", {{"compute", 9.5}}}});
  CHECK(json["rows"][1]["memory_gib"] == Json{{"weights", 2.5}});
  CHECK(json["rows"][2] == Json{{"id", "c"}, {"expected_makespan", 3.0}, {"equal", false}});
  CHECK(json["refused"] == Json::array({{{"id", "c"}, {"why", "no such schedule"}}}));
  CHECK(json["refused_by_reason"] == Json::array({{{"why", "no such schedule"}, {"rows", 1}}}));
  CHECK(json["counts"] == Json{{"rows", 3}, {"predicted", 2}, {"refused", 1}, {"equal", 0}, {"unequal", 1}});
  REQUIRE(json["groups"].size() == 2);
  const Json& all = json["groups"][0];
  CHECK(all["by"] == "all");
  CHECK(all["figure"] == "step_time_s");
  CHECK(all["rows"] == 2);
  CHECK(all["mape"].get<double>() == doctest::Approx(0.1));
  CHECK(all["concordance"].is_null());
  CHECK_FALSE(all.contains("schedule_concordance"));
  CHECK(all["tier_a"]["rows"] == 1);
  CHECK(all["tier_a"]["bias"].get<double>() == doctest::Approx(-0.1));
  CHECK(all["peak_memory_gib"]["rows"] == 0);
  for (const char* none : {"mape", "median_abs_error", "p90_abs_error", "bias"})
    CHECK(all["peak_memory_gib"][none].is_null());
  CHECK(json["groups"][1]["name"] == "nemo");
  for (const auto& [kind, name] : {std::pair{FileKind::schedules, "schedules"},
                                   {FileKind::collectives, "collectives"},
                                   {FileKind::kernels, "kernels"},
                                   {FileKind::flows, "flows"},
                                   {FileKind::plans, "plans"},
                                   {FileKind::expert_layers, "expert_layers"},
                                   {FileKind::expert_exchange, "expert_exchange"},
                                   {FileKind::goodput, "goodput"}})
    CHECK(Json::parse(to_json(of({}, kind)))["kind"] == name);
}

TEST_CASE("a condition is taken apart, and refused with what it should be") {
  const auto c = parse_condition("nanotron 8:peak_memory_gib.bias <= -0.1");
  REQUIRE(c.ok());
  CHECK(c->group == "nanotron 8");
  CHECK(c->figure == "peak_memory_gib");
  CHECK(c->statistic == "bias");
  CHECK(c->comparison == "<=");
  CHECK(c->bound == -0.1);
  const auto refused = [](const std::string& text) {
    const auto parsed = parse_condition(text);
    const auto held = parsed.ok() ? holds(*parsed, of({measured("a", 10, 11)})) : Result<bool>(parsed.errors());
    REQUIRE(!held.ok());
    CHECK(held.errors().front().path == "--fail-on");
    CHECK(held.errors().front().help.starts_with("[GROUP:][FIGURE.]STATISTIC OPERATOR NUMBER, STATISTIC one of rows"));
    return held.errors().front().message;
  };
  CHECK(refused("mape") == "'mape': there is no comparison");
  CHECK(refused("mape==1") == "'mape==1': there is no comparison");
  CHECK(refused("mape!=1") == "'mape!=1': there is no comparison");
  CHECK(refused("mape>1x") == "'mape>1x': '1x' is not a number");
  CHECK(refused("mape>") == "'mape>': '' is not a number");
  CHECK(refused("mope>1") == "'mope>1': 'mope' is no statistic");
  CHECK(refused("a:b.mope>1") == "'a:b.mope>1': 'mope' is no statistic");
  CHECK(refused("mape>inf") == "'mape>inf': no figure can be held against 'inf', a number such as 0.15 is needed");
  CHECK(refused("x:mape>1") == "'x:mape>1': there is no group 'x'");
  CHECK(refused("x:refused>1") == "'x:refused>1': there is no group 'x'");
  CHECK(refused("x.mape>1") == "'x.mape>1': there is no figure 'x'");
  CHECK(refused("peak_memory_gib.mape>1") == "'peak_memory_gib.mape>1': nothing was measured there");
  CHECK(refused("concordance>1") == "'concordance>1': nothing was measured there");
  // How many rows there are is known of none, too.
  CHECK(*holds(*parse_condition("peak_memory_gib.rows<1"), of({measured("a", 10, 11)})));
  const auto none = holds(*parse_condition("mape>1"), of({oracle("a", 1.0, 1.0, true)}));
  REQUIRE(!none.ok());
  CHECK(none.errors().front().message == "'mape>1': this file has no measured figure");
}

}  // namespace orrery::validation::report_forms_test
