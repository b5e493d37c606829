// --by, --row and --without: other groups, one row beside its neighbours, a mechanism taken away.
#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "orrery/core/csv.hpp"
#include "orrery/validation/validate.hpp"
#include "paths.hpp"
#include "validation/kinds.hpp"

namespace orrery::validation::grouping_test {

namespace {

const std::string kFolder = orrery::testing::source_dir() + "/tests/data/validation/";

// Six rows of the sample: four stacks, one to 192 nodes.
std::string few() {
  std::ifstream file(kFolder + "runs_sample.csv");
  std::string text, line;
  for (int i = 0; i < 7 && std::getline(file, line); ++i) text += line + "\n";
  return text;
}

Report report_of(const std::string& text, const Options& options) {
  const Result<Report> report = validate_table(text, "few.csv", options);
  REQUIRE_MESSAGE(report.ok(), (report.ok() ? std::string() : render(report.errors())));
  return *report;
}

std::string refusal(const std::string& text, const Options& options) {
  const Result<Report> report = validate_table(text, "few.csv", options);
  REQUIRE_FALSE(report.ok());
  return render(report.errors());
}

CsvTable table_of(const std::string& text) {
  const Result<CsvTable> table = read_csv_text(text, "few.csv");
  REQUIRE(table.ok());
  return *table;
}

// Of one stack: 8, 16, 64 GPUs, and one of another stack.
const std::string kRuns =
    "id,stack,model,gpus,gpus_per_node,tp,pp,step_time_s\n"
    "a,one,m,8,8,2,1,1.0\nb,one,m,64,8,2,1,1.0\nc,one,m,16,8,2,1,1.0\nd,two,m,8,8,2,1,1.0\ne,one,m,8,8,2,1,\n"
    "f,one,other,8,8,2,1,2.0\n";

}  // namespace

TEST_CASE("rows are grouped by any columns together, nodes counted where no column says them") {
  const CsvTable table = table_of(kRuns);
  std::vector<Row> rows(table.rows.size());
  REQUIRE(group_rows_by(table, {"stack,nodes", "model"}, rows).empty());
  const std::vector<std::string> names{"one 1", "one 8", "one 2", "two 1", "one 1", "one 1"};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    REQUIRE(rows[i].groups.size() == 2);
    CHECK(rows[i].groups[0] == std::pair<std::string, std::string>{"stack,nodes", names[i]});
    CHECK(rows[i].groups[1].second == (i == 5 ? "other" : "m"));
  }
  rows[0].groups = {{"prefix", "x"}};
  REQUIRE(group_rows_by(table, {"prefix,step_time_s"}, rows).empty());
  CHECK(rows[0].groups[0].second == "x 1.0");
}

TEST_CASE("a table of runs is grouped as asked for, in place of the usual groups") {
  const Report report = report_of(few(), {.expected = {}, .by = {"stack,nodes"}});
  std::set<std::string> ways;
  for (const Group& group : report.groups) ways.insert(group.by);
  CHECK(ways == std::set<std::string>{"all", "stack,nodes"});
  CHECK(to_text(report).find("step_time_s per stack,nodes") != std::string::npos);
}

TEST_CASE("a column that is not there, or no column at all, is refused with those there are") {
  const std::string slip = refusal(few(), {.expected = {}, .by = {"stack,clutser"}});
  CHECK(slip.find("--by stack,clutser: the table has no column 'clutser'") != std::string::npos);
  CHECK(slip.find("did you mean 'cluster'?") != std::string::npos);
  CHECK(refusal(few(), {.expected = {}, .by = {"colour of the sky"}}).find("its columns: id, ") != std::string::npos);
  CHECK(refusal(few(), {.expected = {}, .by = {""}}).find("--by needs the name of a column") != std::string::npos);
}

TEST_CASE("the rows nearest to one are of its stack, measured, and differ least") {
  // From a: f differs in one word (2), c in one doubling, b in three; d is of another stack, e not measured.
  const Result<CsvTable> near = nearest_rows(table_of(kRuns), "a", 2);
  REQUIRE(near.ok());
  REQUIRE(near->rows.size() == 3);
  CHECK(near->rows[0][0].text == "a");
  CHECK(near->rows[1][0].text == "c");
  CHECK(near->rows[2][0].text == "f");
  CHECK(differing_columns(*near) == std::vector<std::string>{"model", "gpus"});
  const Result<CsvTable> none = nearest_rows(table_of(kRuns), "g", 2);
  REQUIRE_FALSE(none.ok());
  CHECK(render(none.errors()).find("--row: the table has no row 'g'") != std::string::npos);
}

TEST_CASE("one row is shown beside its neighbours, split and memory part by part") {
  const Result<Report> row = validate_row(kFolder + "schedule_pairs.csv", "sc21_f12_int_b24", {});
  REQUIRE_MESSAGE(row.ok(), (row.ok() ? std::string() : render(row.errors())));
  REQUIRE(row->rows.size() == 2);  // the others are of other stacks
  CHECK(row->rows[1].id == "sc21_f12_nonint_b24");
  const std::string text = side_by_side(*row);
  for (const char* line : {"step_time_s", "  predicted", "  error", "  compute", "peak_memory_gib", "  weights"})
    CHECK_MESSAGE(text.find(line) != std::string::npos, line << " in\n" << text);
  CHECK_FALSE(validate_row(kFolder + "../cost/kernels.csv", "1", {}).ok());
  CHECK_FALSE(validate_row(kFolder + "none.csv", "1", {}).ok());
}

TEST_CASE("a run without a mechanism takes another time; one that is not known is refused") {
  const auto first = [](const Options& options) {
    std::istringstream lines(few());
    std::string head, row;
    std::getline(lines, head), std::getline(lines, row);
    return std::get<double>(report_of(head + "\n" + row + "\n", options).rows[0].figures[0].predicted);
  };
  const double with = first({});
  CHECK(first({.expected = {}, .without = {"sustained"}}) < with);
  CHECK(first({.expected = {}, .without = {"host"}}) < with);
  CHECK(first({.expected = {}, .without = {"overlap"}}) >= with);
  CHECK(first({.expected = {}, .without = {"host", "sustained", "waves"}}) <
        first({.expected = {}, .without = {"host", "sustained"}}));
  const std::string slip = refusal(few(), {.expected = {}, .without = {"sustaned"}});
  CHECK(slip.find("--without 'sustaned' is no mechanism, allowed: host, ") != std::string::npos);
  CHECK(slip.find("did you mean 'sustained'?") != std::string::npos);
  CHECK(refusal("case a\nlink l 1 0\nflow f 0 1 0 l\nend\n", {.expected = {}, .without = {"host"}})
            .find("--without goes with a table of runs only") != std::string::npos);
}

}  // namespace orrery::validation::grouping_test
