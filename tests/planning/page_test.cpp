// The page of an answer: everything that its text has.
#include "orrery/planning/page.hpp"

#include "../count.hpp"
#include "answers.hpp"
#include "orrery/planning/budget.hpp"

namespace orrery::planning::page_test {
namespace {

using orrery::testing::count;

Answer example() {
  Answer a{"orrery.plan/1", "A <plan>"};
  a.parts.push_back({"", "First", {{"days", 3.0, "time", "3 days", "all of them"}, {"hidden", 1.0, "", ""}}});
  AnswerTable table{"rows", "Some & more", {{"name", "name", false}, {"value", "value"}, {"secret", ""}}};
  table.rows = {{cell("a"), cell("1"), cell("x")}};
  a.parts.push_back({"", "", {}, {table}, {"a < drawing"}});
  a.parts.push_back({"json_only", "", {{"hidden", 1.0, "", ""}}});
  a.notes = {"Assumed: nothing.", "Not counted: much."};
  return a;
}

TEST_CASE("figures, tables, drawings and notes are there, what is for programs alone is not") {
  const report::Page page = page_of(example());
  CHECK(page.title == "A <plan>");
  REQUIRE(page.figures.size() == 1);
  CHECK(page.figures[0].value == "3 days");
  REQUIRE(page.sections.size() == 3);
  CHECK(page.sections[0].heading == "First");
  CHECK(page.sections[1].heading == "Tables");
  CHECK(page.sections[2].heading.find("not counted") != std::string::npos);
  const std::string html = report::to_html(page);
  for (const char* words : {"all of them", "Some &amp; more", "a &lt; drawing", "Not counted: much."})
    CHECK(html.find(words) != std::string::npos);
  CHECK(html.find("hidden") == std::string::npos);
  CHECK(count(page.sections[1].html, "<th ") == 2);
}

TEST_CASE("an answer with a picture has it in its page") {
  BudgetPlan plan;
  plan.budget = Budget{1e24, 0};
  const report::Page page = page_of(value_of(plan_budget(plan)));
  CHECK(page.sections.front().html.find("<svg ") != std::string::npos);
  CHECK(page.sections.front().html.find("envelope") != std::string::npos);
}

}  // namespace
}  // namespace orrery::planning::page_test
