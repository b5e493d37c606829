// Runs are sorted as std::sort does, few or many.
#include "engine/sort_runs.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "orrery/core/random.hpp"

namespace orrery::sort_runs_test {

TEST_CASE("interleaved runs come out in order, and so does what has more runs than are kept") {
  Random random(11);
  for (const std::uint64_t lanes : {1u, 3u, 40u}) {
    std::vector<std::int64_t> at(lanes, 0), items;
    for (int i = 0; i < 2000; ++i) {
      const std::size_t lane = random.below(lanes);
      at[lane] += static_cast<std::int64_t>(random.below(9));
      items.push_back(at[lane] + static_cast<std::int64_t>(1000 * lane));
    }
    std::vector<std::int64_t> expected = items;
    std::sort(expected.begin(), expected.end());
    engine::sort_runs(items, std::less<>());
    CHECK(items == expected);
  }
  std::vector<int> none;
  engine::sort_runs(none, std::less<>());
  CHECK(none.empty());
}

}  // namespace orrery::sort_runs_test
