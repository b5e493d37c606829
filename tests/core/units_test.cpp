#include "orrery/core/units.hpp"

#include <doctest/doctest.h>

#include <limits>

namespace orrery::units_test {

TEST_CASE("transfer time rounds up to whole picoseconds in 128 bits") {
  CHECK(transfer_time({0}, {1}).value == 0);
  CHECK(transfer_time({1}, {3'000'000'000'000}).value == 1);  // ⌈1/3⌉ ps
  // 1 TB at 900 GB/s: 10¹² · 10¹² does not fit 64 bits; 1.111…s rounded up.
  CHECK(transfer_time({1'000'000'000'000}, {900'000'000'000}).value == 1'111'111'111'112);
}

TEST_CASE("arithmetic that leaves 64 bits throws") {
  const Time most{std::numeric_limits<std::int64_t>::max()};
  CHECK_THROWS_AS(most + Time{1}, OverflowError);
  CHECK_THROWS_AS(most * 2, OverflowError);
  CHECK_THROWS_AS(transfer_time({std::numeric_limits<std::int64_t>::max()}, {1}), OverflowError);
  CHECK_THROWS_AS(time_from_seconds(1e7), OverflowError);
}

TEST_CASE("seconds become picoseconds rounded up") {
  CHECK(time_from_seconds(0.0).value == 0);
  CHECK(time_from_seconds(1.0).value == kPicosecondsPerSecond);
  CHECK(time_from_seconds(1.25e-12).value == 2);
}

}  // namespace orrery::units_test
