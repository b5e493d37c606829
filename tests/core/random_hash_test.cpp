#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <limits>

#include "orrery/core/hash.hpp"
#include "orrery/core/random.hpp"

namespace orrery::random_hash_test {

TEST_CASE("SplitMix64 gives the published sequence") {
  // https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64, seed 1234567
  Random random(1234567);
  CHECK(random.next() == 6457827717110365317u);
  CHECK(random.next() == 3203168211198807973u);
  CHECK(random.next() == 9817491932198370423u);
  CHECK(random.next() == 4593380528125082431u);
  CHECK(random.next() == 16408922859458223821u);
}

TEST_CASE("bounded numbers stay in bounds and spread evenly") {
  Random random(1);
  std::array<int, 10> seen{};
  for (int i = 0; i < 100'000; ++i) ++seen[random.below(10)];
  // Expected 10 000 each, standard deviation 95: five of them.
  for (const int count : seen) CHECK(std::abs(count - 10'000) < 475);
  for (int i = 0; i < 1000; ++i) {
    const double u = random.uniform();
    CHECK((u >= 0.0 && u < 1.0));
    const std::int64_t n = random.between(-2, 2);
    CHECK((n >= -2 && n <= 2));
  }
  CHECK(random.between(7, 7) == 7);
  random.between(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());  // 2^64 values
}

TEST_CASE("a shuffle keeps the items and depends on the seed alone") {
  std::vector<int> a{1, 2, 3, 4, 5, 6, 7, 8}, b = a;
  Random(5).shuffle(a);
  Random(5).shuffle(b);
  CHECK(a == b);
  CHECK_FALSE(std::is_sorted(a.begin(), a.end()));
  std::sort(a.begin(), a.end());
  CHECK(a == std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(Random(5).fork(0).next() != Random(5).fork(1).next());
}

TEST_CASE("the hash is that of its documented formula") {
  Hash hash;
  CHECK(hash.hex() == "0000000000000000");
  hash.add(std::int64_t{1});
  CHECK(hash.value() == mix64(0x9E3779B97F4A7C15u + 0xD6E8FEB86659FD93u));
  // A text is its length and its bytes, eight a word, the first lowest.
  Hash text, words;
  text.add("abcdefghi");
  words.add(std::uint64_t{9});
  words.add(std::uint64_t{0x6867666564636261u});
  words.add(std::uint64_t{0x69u});
  CHECK(text.value() == words.value());
  CHECK(text.hex().size() == 16);
}

TEST_CASE("the hash tells order, sign and borders apart") {
  const auto of = [](auto... parts) {
    Hash hash;
    (hash.add(parts), ...);
    return hash.value();
  };
  CHECK(of(1, 2) != of(2, 1));
  CHECK(of(1) != of(-1));
  CHECK(of(0) != of(0, 0));
  CHECK(of("ab", "c") != of("a", "bc"));
  CHECK(of(std::int32_t{-1}) == of(std::int64_t{-1}));
}

}  // namespace orrery::random_hash_test
