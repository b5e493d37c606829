// Conditions as they are written on the command line.
#include "orrery/core/comparison.hpp"

#include <doctest/doctest.h>

#include <limits>

namespace orrery::comparison_test {

namespace {

std::string parts(std::string_view text) {
  const auto split = split_comparison(text);
  return split ? "[" + split->left + "] [" + split->op + "] [" + split->right + "]" : "none";
}

}  // namespace

TEST_CASE("a condition is split at its first operator, the longer of two") {
  CHECK(parts("a>=1") == "[a] [>=] [1]");
  CHECK(parts("a<=1") == "[a] [<=] [1]");
  CHECK(parts("a==1") == "[a] [==] [1]");
  CHECK(parts("a!=1") == "[a] [!=] [1]");
  CHECK(parts("a>1") == "[a] [>] [1]");
  CHECK(parts("a<1") == "[a] [<] [1]");
  CHECK(parts("  peak memory  <   80 GiB ") == "[peak memory] [<] [80 GiB]");
  CHECK(parts("a < b > c") == "[a] [<] [b > c]");
  CHECK(parts("a <> c") == "[a] [<] [> c]");
  CHECK(parts("<1") == "[] [<] [1]");
  CHECK(parts("a<") == "[a] [<] []");
  CHECK(parts("   >   ") == "[] [>] []");
  for (const char* none : {"", "a", "a = 1", "a ! b"}) CHECK(parts(none) == "none");
}

TEST_CASE("each operator at, below and above its border") {
  struct Case {
    const char* op;
    bool below, same, above;
  };
  for (const Case& c : {Case{">", false, false, true}, Case{">=", false, true, true}, Case{"<", true, false, false},
                        Case{"<=", true, true, false}, Case{"==", false, true, false}, Case{"!=", true, false, true}}) {
    CAPTURE(c.op);
    CHECK(compare(1, c.op, 2) == c.below);
    CHECK(compare(2, c.op, 2) == c.same);
    CHECK(compare(3, c.op, 2) == c.above);
  }
  // Not a number is unequal to all, and neither above nor below.
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const char* op : {">", ">=", "<", "<=", "=="}) CHECK_FALSE(compare(nan, op, 1));
  CHECK(compare(nan, "!=", 1));
}

}  // namespace orrery::comparison_test
