// How far a slip may be from the name that is meant.
#include <doctest/doctest.h>

#include "orrery/core/yaml.hpp"

namespace orrery::suggest_test {

TEST_CASE("each kind of slip is one edit") {
  const auto meant = [](const char* name) { return did_you_mean(name, {"zero"}); };
  const std::string zero = "did you mean 'zero'?";
  for (const char* slip : {"zer", "ero", "zeero", "zerox", "azero", "zera", "yero"}) {
    CAPTURE(slip);
    CHECK(meant(slip) == zero);
  }
  // Neighbours swapped: anywhere in the word, one edit (two without that rule, and four letters are allowed one).
  for (const char* slip : {"ezro", "zreo", "zeor"}) CHECK(meant(slip) == zero);
  for (const char* two : {"zexx", "ozer", "reoz", "xzerx", "ze"}) {
    CAPTURE(two);
    CHECK(meant(two).empty());
  }
}

TEST_CASE("a third of the letters may be wrong, and always one") {
  // max(1, ⌊letters of what was typed / 3⌋): 1 up to 5 letters, 2 from 6, 3 from 9.
  CHECK(did_you_mean("dp", {"tp"}) == "did you mean 'tp'?");
  CHECK(did_you_mean("q", {"tp"}).empty());
  CHECK(did_you_mean("abcde", {"abcxy"}).empty());
  CHECK(did_you_mean("abcdef", {"abcdxy"}) == "did you mean 'abcdxy'?");
  CHECK(did_you_mean("abcdef", {"abcxyz"}).empty());
  CHECK(did_you_mean("abcdefgh", {"abcdexyz"}).empty());
  CHECK(did_you_mean("abcdefghi", {"abcdefxyz"}) == "did you mean 'abcdefxyz'?");
  // A swap far from its letters is two edits, not one: "optimal string alignment" touches no letter twice.
  CHECK(did_you_mean("ca", {"abc"}).empty());
}

TEST_CASE("the nearest name is meant, of equally near ones the first") {
  CHECK(did_you_mean("tensoor", {"tenser", "tensor", "censor"}) == "did you mean 'tensor'?");
  CHECK(did_you_mean("cat", {"car", "cut", "cap"}) == "did you mean 'car'?");
  CHECK(did_you_mean("cat", {}).empty());
  CHECK(did_you_mean("cat", {"cat"}) == "did you mean 'cat'?");
  CHECK(did_you_mean("Tensor", {"tensor"}) == "did you mean 'tensor'?");
}

TEST_CASE("no more than 64 letters are a slip of the finger") {
  const std::string name(64, 'a');
  CHECK(did_you_mean(name, {name + "b"}) == "did you mean '" + name + "b'?");
  CHECK(did_you_mean(name + "b", {name}).empty());
}

}  // namespace orrery::suggest_test
