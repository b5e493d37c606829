#include "orrery/core/catalogue.hpp"

#include <doctest/doctest.h>

namespace orrery::catalogue_test {

TEST_CASE("a catalogue reads each file once for each type, errors too") {
  Catalogue catalogue;
  int reads = 0;
  const auto number = [&]() -> Result<int> { return ++reads; };
  const auto wrong = [&]() -> Result<double> {
    ++reads;
    Diagnostic d;
    d.message = "no number";
    return d;
  };
  CHECK(*catalogue.once<int>("a.yaml", number) == 1);
  CHECK(*catalogue.once<int>("a.yaml", number) == 1);
  CHECK(*catalogue.once<int>("b.yaml", number) == 2);
  for (int i = 0; i < 2; ++i) CHECK(catalogue.once<double>("a.yaml", wrong).errors().front().message == "no number");
  CHECK(reads == 3);
  CHECK(catalogue.files() == 3);
  // A file may build on another.
  const auto nested =
      catalogue.once<int>("c.yaml", [&]() -> Result<int> { return *catalogue.once<int>("b.yaml", number) + 10; });
  CHECK(*nested == 12);
}

}  // namespace orrery::catalogue_test
