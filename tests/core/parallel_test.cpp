// Work on several threads: each piece once, the first exception passed on.
#include "core/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace orrery::parallel_test {

using orrery::for_each;

TEST_CASE("each piece of work is done once, on any number of threads") {
  for (const unsigned threads : {0U, 1U, 2U, 7U, 64U})
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{5000}}) {
      CAPTURE(threads);
      CAPTURE(count);
      std::vector<std::atomic<int>> done(count);
      for_each(count, threads, [&](std::size_t i, std::size_t) { ++done[i]; });
      for (const auto& times : done) CHECK(times == 1);
    }
}

TEST_CASE("on one thread the pieces go in their order, on the thread that asks") {
  std::vector<std::size_t> order;
  const auto self = std::this_thread::get_id();
  for_each(5, 1, [&](std::size_t i, std::size_t thread) {
    CHECK(thread == 0);
    CHECK(std::this_thread::get_id() == self);
    order.push_back(i);
  });
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 3, 4});
}

TEST_CASE("more threads than processors are had where they are asked for") {
  // Four that wait for each other: on fewer threads they would wait for ever. One thread stands for each.
  std::atomic<int> there{0};
  for_each(4, 4, [&](std::size_t, std::size_t) {
    ++there;
    while (there < 4) std::this_thread::yield();
  });
  CHECK(there == 4);
}

TEST_CASE("no two pieces have the same thread at once") {
  std::vector<std::atomic<int>> busy(3);
  std::atomic<int> clashes{0};
  for_each(2000, 3, [&](std::size_t, std::size_t thread) {
    if (thread >= busy.size() || busy[thread]++ != 0) ++clashes;
    std::this_thread::yield();
    --busy[thread % busy.size()];
  });
  CHECK(clashes == 0);
}

TEST_CASE("an exception is passed on, and what has not begun is left out") {
  for (const unsigned threads : {1U, 4U}) {
    std::atomic<int> done{0};
    CHECK_THROWS_AS(for_each(100'000, threads,
                             [&](std::size_t i, std::size_t) {
                               if (i == 3) throw std::runtime_error("three");
                               ++done;
                             }),
                    std::runtime_error);
    CHECK(done < 100'000);
  }
}

TEST_CASE("there is a processor") {
  CHECK(orrery::processors() >= 1);
}

}  // namespace orrery::parallel_test
