// Statistics, text and conditions of a report whose numbers are known.
#include <doctest/doctest.h>

#include "orrery/validation/validate.hpp"
#include "validation/kinds.hpp"

namespace orrery::validation::statistics_test {

namespace {

Row row(const char* id, double measured, double predicted, const char* alternatives = "") {
  Row r;
  r.id = id;
  r.figures = {{"step_time_s", false, measured, predicted}};
  r.groups = {{"stack", "s"}};
  r.alternatives = alternatives;
  r.what = "a model";
  return r;
}

// Errors +10 %, −10 %, +50 %, 0: mean of their sizes 17.5 %, median 10 %, bias 12.5 %, ninth decile (nearest rank) 50
// %.
Report example() {
  Report report;
  report.rows = {row("a", 1, 1.1, "x"), row("b", 2, 1.8, "x"), row("c", 2, 3, "x"), row("d", 4, 4, "x"),
                 row("e", 1, 9)};
  report.rows[4].counts = false;
  report.rows.push_back(row("f", 1, 1));
  report.rows[5].figures[0].predicted = {};
  report.rows[5].why = "no such GPU";
  report.groups = groups_of(report.rows);
  return report;
}

bool holds(const std::string& text) {
  const auto condition = parse_condition(text);
  REQUIRE(condition.ok());
  const auto result = validation::holds(*condition, example());
  REQUIRE(result.ok());
  return *result;
}

}  // namespace

TEST_CASE("statistics of a group") {
  const Statistics s = example().groups.front().figures.front().all;
  CHECK(s.rows == 4);
  CHECK(s.mape == doctest::Approx(0.175));
  CHECK(s.median_abs_error == doctest::Approx(0.1));
  CHECK(s.p90_abs_error == doctest::Approx(0.5));
  CHECK(s.bias == doctest::Approx(0.125));
  // Pairs that differ: ab ac ad bd cd (b and c do not); all are in order.
  REQUIRE(s.concordance.has_value());
  CHECK(*s.concordance == 1.0);
}

TEST_CASE("an order that is wrong lowers the concordance; what is 5 % apart does not count") {
  const auto share = [](std::vector<Row> rows) { return groups_of(rows).front().figures.front().all.concordance; };
  CHECK(share({row("a", 1, 2, "x"), row("b", 2, 1, "x"), row("c", 4, 5, "x")}) == doctest::Approx(2.0 / 3));
  CHECK_FALSE(share({row("a", 1, 2, "x"), row("b", 1.05, 1, "x")}).has_value());
  CHECK_FALSE(share({row("a", 1, 2, "x"), row("b", 2, 1, "y")}).has_value());
}

TEST_CASE("schedules are held against each other where nothing else differs") {
  const auto of = [](const char* id, double measured, double predicted, const char* schedule) {
    Row r = row(id, measured, predicted, "x");
    r.same_but_schedule = "one configuration";
    r.schedule = schedule;
    return r;
  };
  const auto statistics = [](std::vector<Row> rows) { return groups_of(rows).front().figures.front().all; };
  // ab wrong, ac right, bc right; d repeats a's schedule and is 1.9 % from c: only bd counts, right.
  const Statistics s =
      statistics({of("a", 2, 2, "1f1b"), of("b", 3, 1.9, "zb"), of("c", 1.02, 1, "v"), of("d", 1.04, 1.01, "1f1b")});
  CHECK(s.schedule_pairs == 4);
  CHECK(s.schedule_concordance == doctest::Approx(3.0 / 4));
  CHECK_FALSE(statistics({row("a", 1, 2, "x"), row("b", 2, 1, "x")}).schedule_concordance.has_value());
}

TEST_CASE("the text of a report") {
  CHECK(to_text(example()) ==
        "step_time_s per stack\n"
        "                          rows      mape    median       p90      bias  in order\n"
        "all                          4    17.5 %    10.0 %    50.0 %   +12.5 %   100.0 %\n"
        "s                            4    17.5 %    10.0 %    50.0 %   +12.5 %   100.0 %\n"
        "\n"
        "worst rows of step_time_s\n"
        "                                measured   predicted     error\n"
        "c                                      2           3   +50.0 %  a model\n"
        "a                                      1         1.1   +10.0 %  a model\n"
        "b                                      2         1.8   -10.0 %  a model\n"
        "d                                      4           4    +0.0 %  a model\n"
        "\n"
        "refused 1 (f): no such GPU\n"
        "6 rows: 5 predicted, 1 refused\n");
}

TEST_CASE("conditions of --fail-on") {
  CHECK(holds("mape>0.17"));
  CHECK_FALSE(holds("mape > 0.18"));
  CHECK(holds("s:step_time_s.p90_abs_error>=0.5"));
  CHECK(holds("refused>0"));
  CHECK_FALSE(holds("unequal>0"));
  CHECK(holds("bias<0.2"));
  CHECK(holds("rows<=4"));
  CHECK(holds("s:refused>0"));
  CHECK_FALSE(validation::holds(*parse_condition("t:refused>0"), example()).ok());
  // What no figure can be: it would never hold, or always.
  for (const char* wrong : {"mape>nan", "mape<-nan", "bias>=inf", "refused<-inf"}) {
    const auto condition = parse_condition(wrong);
    REQUIRE_FALSE(condition.ok());
    CHECK(render(condition.errors()).find("a number such as 0.15 is needed") != std::string::npos);
  }
  for (const char* wrong : {"mape", "mape>x", "mope>1", "mape>1 2", ">1", ""}) CHECK_FALSE(parse_condition(wrong).ok());
  CHECK_FALSE(validation::holds(*parse_condition("t:mape>1"), example()).ok());
  CHECK_FALSE(validation::holds(*parse_condition("s:memory.mape>1"), example()).ok());
}

}  // namespace orrery::validation::statistics_test
