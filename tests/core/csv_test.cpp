#include "orrery/core/csv.hpp"

#include <doctest/doctest.h>

namespace orrery::csv_test {

namespace {

std::string error_of(const std::string& text) {
  const Result<CsvTable> table = read_csv_text(text, "t.csv");
  return table ? "fine" : render(table.errors());
}

}  // namespace

TEST_CASE("rows, quotes and line ends of RFC 4180") {
  const Result<CsvTable> table = read_csv_text("# source: somewhere\nid,note\r\n1,\"a, \"\"b\"\"\nc\"\n2,\n", "t.csv");
  REQUIRE(table.ok());
  REQUIRE(table->rows.size() == 2);
  CHECK(table->column("note") == 1);
  CHECK(table->column("notes") == -1);
  CHECK(table->rows[0][1].text == "a, \"b\"\nc");
  CHECK(table->rows[1][1].text == "");
  CHECK(render(table->at(1, 0, "is no name")) == "t.csv:5:1: id: is no name\n");
}

TEST_CASE("a broken table says where") {
  CHECK(error_of("") == "t.csv:1:1: is empty, it must start with a header\n");
  CHECK(error_of("a,b,a\n") == "t.csv:1:5: column 'a' is given twice\n");
  CHECK(error_of("a,b\n1\n") == "t.csv:2:1: 1 fields, but the header has 2\n");
  CHECK(error_of("a,b\n1,2,3\n") == "t.csv:2:1: 3 fields, but the header has 2\n");
  CHECK(error_of("a,b\n\n1,2\n") == "t.csv:2:1: 1 fields, but the header has 2\n");
  CHECK(error_of("a,b\n1,\"x\n") == "t.csv:2:3: a quote is not closed\n");
  CHECK(error_of("a,b\n1,\"x\"y\n") == "t.csv:2:3: text after the closing quote\n");
  CHECK(error_of("a,b\n1,x\"y\n") == "t.csv:2:3: a quote inside a field that is not in quotes\n");
}

TEST_CASE("a field is quoted where it must be and reads back the same") {
  CHECK(csv_field("plain") == "plain");
  for (const char* text : {"a,b", "say \"x\"", "two\nlines", "", " blank "}) {
    const Result<CsvTable> table = read_csv_text("h,i\n" + csv_field(text) + ",1\n", "t.csv");
    REQUIRE(table.ok());
    CHECK(table->rows[0][0].text == text);
  }
}

}  // namespace orrery::csv_test
