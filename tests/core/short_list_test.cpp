#include "orrery/core/short_list.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "orrery/core/random.hpp"

namespace orrery::short_list_test {

namespace {

using List = ShortList<std::int64_t, 3>;

std::vector<std::int64_t> values(const List& list) {
  return {list.begin(), list.end()};
}
List of(std::int64_t count) {
  List list;
  for (std::int64_t i = 0; i < count; ++i) list.push_back(10 + i);
  return list;
}

}  // namespace

TEST_CASE("a short list is a vector, of few and of many") {
  for (std::int64_t count = 0; count < 12; ++count) {
    List list = of(count);
    std::vector<std::int64_t> same;
    for (std::int64_t i = 0; i < count; ++i) same.push_back(10 + i);
    CHECK(values(list) == same);
    CHECK(list.size() == same.size());
    CHECK(list.empty() == same.empty());
    List copied = list;
    CHECK(values(copied) == same);
    copied.push_back(1);
    CHECK(values(list) == same);  // its own
    same.push_back(1);
    CHECK(values(copied) == same);
    CHECK(copied.back() == 1);
    List moved = std::move(copied);
    CHECK(values(moved) == same);
    moved[0] = 7, same[0] = 7;
    CHECK(moved.front() == 7);
    for (std::int64_t other = 0; other < 8; ++other) {
      List assigned = of(other);
      assigned = moved;
      CHECK(values(assigned) == same);
      moved = std::move(assigned);
      CHECK(values(moved) == same);
    }
  }
}

TEST_CASE("a list may be given one of its own, and itself") {
  List list = of(3);
  list.push_back(list[0]);  // it grows
  CHECK(values(list) == std::vector<std::int64_t>{10, 11, 12, 10});
  const List& same = list;
  list = same;
  CHECK(values(list) == std::vector<std::int64_t>{10, 11, 12, 10});
  CHECK(list == List{10, 11, 12, 10});
  CHECK(!(list == List{10, 11, 12}));
  CHECK(!(list == List{10, 11, 12, 13}));
  list.reserve(100);
  CHECK(values(list) == std::vector<std::int64_t>{10, 11, 12, 10});
}

TEST_CASE("what is moved from is an empty list that can be used") {
  List list = of(9);
  const List taken = std::move(list);
  list.push_back(5);
  CHECK(values(list) == std::vector<std::int64_t>{5});
  CHECK(taken.size() == 9);
}

}  // namespace orrery::short_list_test
