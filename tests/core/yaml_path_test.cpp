// Key paths: which are any, and their steps.
#include "core/yaml_path.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace orrery::yaml_path_test {

TEST_CASE("a path is steps of names and indices, none empty") {
  for (const char* path : {"a", "a.b", "layout.tensor", "a[0]", "a[0].b", "a[0][1]", "a.0.b", "a-b_c.d", "a b"}) {
    CAPTURE(path);
    CHECK(is_path(path));
  }
  for (const char* none : {"",      ".",     "[",   "]",  ".a",  "[0]",     "]a",    "a.",     "a[",   "a..b",
                           "a.[0]", "a[.b]", "a[]", "a]", "a[0", "a[b[0]]", "a[0]]", "a[[0]]", "a.b.", "a].b"}) {
    CAPTURE(none);
    CHECK_FALSE(is_path(none));
  }
}

TEST_CASE("steps are taken from the front until there are none") {
  const auto steps = [](std::string_view path) {
    std::vector<std::string> all;
    while (!path.empty()) all.emplace_back(next_path_step(path));
    CHECK(next_path_step(path).empty());
    return all;
  };
  using Steps = std::vector<std::string>;
  CHECK(steps("a") == Steps{"a"});
  CHECK(steps("links[2].bandwidth") == Steps{"links", "2", "bandwidth"});
  CHECK(steps("a[0][17]") == Steps{"a", "0", "17"});  // no empty step behind the last bracket
  CHECK(steps("a.0.b") == Steps{"a", "0", "b"});
  CHECK(steps("").empty());
}

TEST_CASE("a key below a path") {
  CHECK(child_path("", "layout") == "layout");
  CHECK(child_path("layout", "tensor") == "layout.tensor");
  CHECK(child_path("a[1]", "b") == "a[1].b");
}

TEST_CASE("an index is an item that is there") {
  CHECK(path_index("0", 3) == 0);
  CHECK(path_index("2", 3) == 2);
  CHECK(path_index("3", 3) == 3);
  CHECK(path_index("0", 0) == 0);
  CHECK(path_index("10", 30) == 10);
  for (const char* none : {"", "x", "1x", "-1", "+1", " 1", "99999999999999999999"}) {
    CAPTURE(none);
    CHECK(path_index(none, 3) == 3);
  }
}

}  // namespace orrery::yaml_path_test
