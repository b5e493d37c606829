// Where the caret under a line ends.
#include <doctest/doctest.h>

#include "orrery/core/yaml.hpp"

namespace orrery::caret_test {

TEST_CASE("a caret stays within its line, and is there at its end") {
  const auto tree = read_yaml_text("ab: c\nd: e\n", "t.yaml");
  REQUIRE(tree.ok());
  const auto length = [&](int column, int asked) { return tree->at(YamlMark{0, 1, column}, asked, "", "", "").length; };
  CHECK(length(1, 2) == 2);
  CHECK(length(1, 5) == 5);
  CHECK(length(1, 6) == 5);
  CHECK(length(4, 9) == 2);
  CHECK(length(5, 9) == 1);  // the last letter
  CHECK(length(6, 9) == 1);  // behind it
  CHECK(length(1, 0) == 1);
  CHECK(tree->at(YamlMark{0, 2, 1}, 1, "", "", "").source_line == "d: e");
  CHECK(tree->at(YamlMark{0, 3, 1}, 7, "", "", "").source_line.empty());
}

}  // namespace orrery::caret_test
