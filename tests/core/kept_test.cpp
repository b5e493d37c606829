// What is kept is made once for each key, compared whole, and the oldest go first.
#include "orrery/core/kept.hpp"

#include <doctest/doctest.h>

namespace orrery::kept_test {

namespace {

struct Key {
  int value = 0;
  friend bool operator==(const Key&, const Key&) = default;
  void add_to(Hash& hash) const { hash.add(1); }  // all in one place: only == tells them apart
};

std::shared_ptr<int> twice(Kept<Key, int>& kept, int of) {
  return kept.of(Key{of}, [&] { return std::make_shared<int>(2 * of); });
}

}  // namespace

TEST_CASE("a value is made once for each key, whatever the hash says") {
  Kept<Key, int> kept;
  const auto three = twice(kept, 3);
  CHECK(*three == 6);
  CHECK(*twice(kept, 4) == 8);
  CHECK(twice(kept, 3) == three);
  CHECK(kept.made() == 2);
}

TEST_CASE("those asked for last are kept") {
  Kept<Key, int> kept(2);
  const auto first = twice(kept, 1);
  twice(kept, 2);
  twice(kept, 3);                  // 1 and 2 are the older ones now
  CHECK(twice(kept, 1) == first);  // found there, and recent again
  twice(kept, 4);                  // 3 and 1 are the older ones, 2 is gone
  CHECK(twice(kept, 1) == first);
  CHECK(kept.made() == 4);
  CHECK(*twice(kept, 2) == 4);
  CHECK(kept.made() == 5);
}

TEST_CASE("nothing is not kept") {
  Kept<Key, int> kept;
  CHECK(kept.of(Key{1}, [] { return std::shared_ptr<int>(); }) == nullptr);
  CHECK(*twice(kept, 1) == 2);
  CHECK(kept.made() == 1);
}

}  // namespace orrery::kept_test
