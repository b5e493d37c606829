// Objects that no text made, held to their table.
#include <doctest/doctest.h>

#include <cmath>

#include "orrery/core/fields.hpp"

namespace orrery::field_check_test {

namespace {

enum class Colour : std::uint8_t { red, green };

struct Part {
  Bytes size{1};
  std::vector<std::int64_t> counts;
};
struct Whole {
  std::string kind = "a";
  std::string note;
  int number = 1;
  double share = 0.5;
  double factor = 1;
  Colour colour = Colour::red;
  std::optional<int> perhaps;
  Part part;
  std::vector<Part> parts;
};

const Fields<Part>& part_fields() {
  static const auto table = Fields<Part>("part", "")
                                .add("size", &Part::size, "")
                                .range(1, 4'096)
                                .add("counts", &Part::counts, "")
                                .at_least(0)
                                .rule("size", [](const Part& p) {
                                  return p.size.value == 13 ? std::string("must not be 13") : std::string();
                                });
  return table;
}
const Fields<Whole>& whole_fields() {
  static const auto table =
      Fields<Whole>("whole", "")
          .add("kind", &Whole::kind, "")
          .one_of({"a", "b"})
          .add("note", &Whole::note, "")
          .add("number", &Whole::number, "")
          .range(1, 8)
          .add("share", &Whole::share, "")
          .number_range(0, 1)
          .add("factor", &Whole::factor, "")
          .positive()
          .choice("colour", &Whole::colour, {{"red", Colour::red}, {"green", Colour::green}}, "")
          .add("perhaps", &Whole::perhaps, "")
          .range(2, 3)
          .section("part", &Whole::part, part_fields(), "")
          .section("parts", &Whole::parts, part_fields(), "")
          .rule("number", [](const Whole& w) { return w.number == 7 ? std::string("must not be 7") : std::string(); });
  return table;
}

template <class Change>
std::string errors_of(const Change& change, const std::string& path = {}) {
  Whole whole;
  change(whole);
  return render(check_fields(whole_fields(), &whole, path));
}

}  // namespace

TEST_CASE("borders are allowed, what is beyond them is told with what it is") {
  CHECK(errors_of([](Whole&) {}).empty());
  for (const int fine : {1, 8}) CHECK(errors_of([&](Whole& w) { w.number = fine; }).empty());
  for (const int bad : {0, 9})
    CHECK(errors_of([&](Whole& w) { w.number = bad; }) ==
          "number: expected an integer from 1 to 8, got " + std::to_string(bad) + "\n");
  for (const double fine : {0.0, 1.0}) CHECK(errors_of([&](Whole& w) { w.share = fine; }).empty());
  CHECK(errors_of([](Whole& w) { w.share = 1.5; }) == "share: expected a number from 0 to 1, got 1.5\n");
  CHECK(errors_of([](Whole& w) { w.share = -0.25; }) == "share: expected a number from 0 to 1, got -0.25\n");
  CHECK(errors_of([](Whole& w) { w.share = std::nan(""); }) == "share: expected a number from 0 to 1, got nan\n");
  CHECK(errors_of([](Whole& w) { w.factor = 0; }) == "factor: expected a number above 0, got 0\n");
  CHECK(errors_of([](Whole& w) { w.factor = std::nan(""); }) == "factor: expected a number above 0, got nan\n");
  CHECK(errors_of([](Whole& w) { w.factor = 1e-300; }).empty());
  CHECK(errors_of([](Whole& w) { w.factor = HUGE_VAL; }) == "factor: expected a number above 0, got inf\n");
}

TEST_CASE("names are those of the list, texts without a list are free") {
  CHECK(errors_of([](Whole& w) { w.kind = "b"; }).empty());
  CHECK(errors_of([](Whole& w) { w.kind = "c"; }) == "kind: expected one of a, b, got 'c'\n");
  CHECK(errors_of([](Whole& w) { w.note = "anything"; }).empty());
  CHECK(errors_of([](Whole& w) { w.colour = Colour::green; }).empty());
  CHECK_THROWS_AS(errors_of([](Whole& w) { w.colour = static_cast<Colour>(9); }), InternalError);
}

TEST_CASE("what is not said is not held to a range; sections and lists are, element by element") {
  CHECK(errors_of([](Whole& w) { w.perhaps = 2; }).empty());
  CHECK(errors_of([](Whole& w) { w.perhaps = 4; }) == "perhaps: expected an integer from 2 to 3, got 4\n");
  CHECK(errors_of([](Whole& w) { w.part.size = {0}; }) == "part.size: expected a size such as 80 GiB, got 0 B\n");
  CHECK(errors_of([](Whole& w) { w.part.size = {4'097}; }) ==
        "part.size: expected a size such as 80 GiB, got 4097 B\n");
  CHECK(errors_of([](Whole& w) { w.part.size = {-5}; }) == "part.size: expected a size such as 80 GiB, got -5 B\n");
  CHECK(errors_of([](Whole& w) {
          w.parts = {{{1}, {}}, {{2}, {3, -1}}};
        }) == "parts[1].counts[1]: expected a list, each item an integer of at least 0, got -1\n");
  CHECK(errors_of(
            [](Whole& w) {
              w.parts = {{{0}, {}}};
            },
            "sum") == "sum.parts[0].size: expected a size such as 80 GiB, got 0 B\n");
}

TEST_CASE("rules of a section are asked with it, those of the whole when all else is good") {
  CHECK(errors_of([](Whole& w) { w.number = 7; }) == "number: must not be 7\n");
  CHECK(errors_of([](Whole& w) { w.number = 7; }, "x.y") == "x.y.number: must not be 7\n");
  CHECK(errors_of([](Whole& w) { w.part.size = {13}; }) == "part.size: must not be 13\n");
  CHECK(errors_of([](Whole& w) {
          w.number = 7;
          w.part.size = {13};
          w.kind = "c";
        }) == "kind: expected one of a, b, got 'c'\npart.size: must not be 13\n");
}

}  // namespace orrery::field_check_test
