// zb_auto: at least as good as the oracle rows and as the handcrafted schedules, within its memory.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "oracles.hpp"

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::testing;

namespace {

int peak(const Replay& played) {
  return *std::max_element(played.peak_until_weight.begin(), played.peak_until_weight.end());
}

Replay searched(const ScheduleRequest& request) {
  const Result<Schedule> schedule = make_schedule(request);
  REQUIRE_MESSAGE(schedule.ok(), render(schedule.errors()));
  const Replay played = replay(*schedule, request.times);
  REQUIRE(played.deadlock.empty());
  return played;
}

}  // namespace

TEST_CASE("zb_auto is no worse than the oracle rows of the searched schedules") {
  int rows = 0;
  for (const Row& row : read_table("schedule_oracles.csv")) {
    if (row.at("schedule").rfind("zb_auto", 0) != 0) continue;
    ++rows;
    CAPTURE(fmt::format("p={} m={} F={} I={} W={} c={} cap={}", row.at("p"), row.at("m"), row.at("tF"), row.at("tI"),
                        row.at("tW"), row.at("tcomm"), row.at("memory_cap")));
    const Replay played = searched(request_of(row));
    CHECK(played.max_rank_span <= half_units(row.at("max_rank_span")));
    CHECK(peak(played) <= memory_cap_of(row));
  }
  CHECK(rows == 32);
}

TEST_CASE("zb_auto is no worse than zb_h1 at p and zb_h2 at 2p-1 micro-batches") {
  // Spans of zb_h1 (m >= p) and zb_h2 (m >= 2p-1): see closed_forms_test.cpp.
  for (const int p : {2, 3, 5}) {
    for (const std::int64_t f : {1, 3, 5}) {
      for (const std::int64_t i : {1, 2, 5}) {
        for (const std::int64_t w : {1, 2, 3}) {
          const int m = 2 * p;
          CAPTURE(fmt::format("p={} m={} F={} I={} W={}", p, m, f, i, w));
          ScheduleRequest request{.name = "zb_1p", .ranks = p, .micro_batches = m, .times = uniform_times(p, f, i, w)};
          const Replay one = searched(request);
          CHECK(one.max_rank_span <= m * (f + i + w) + (p - 1) * std::max(i, f + i - w));
          CHECK(peak(one) <= p);
          request.name = "zb_2p";
          const Replay two = searched(request);
          CHECK(two.max_rank_span <= m * (f + i + w) + (p - 1) * std::max<std::int64_t>({0, i - f, f + i - 2 * w}));
          CHECK(peak(two) <= 2 * p);
        }
      }
    }
  }
}

TEST_CASE("zb_auto runs within any cap, and refuses none at all") {
  ScheduleRequest request{.name = "zb_auto", .ranks = 4, .micro_batches = 9, .times = uniform_times(4, 4, 5, 3, 1)};
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  for (int cap = 1; cap <= 9; ++cap) {
    request.memory_cap = cap;
    const Replay played = searched(request);
    CHECK(peak(played) <= cap);
    CHECK(played.max_rank_span <= before);  // more memory is never worse
    before = played.max_rank_span;
  }
  // One micro-batch at a time: rank 0 runs F, waits for 3 stages down and up with 6 messages, runs I and W, nine times.
  // It may start the next F only after W: 9 · (4·4 + 4·5 + 6·1 + 3) = 405.
  request.memory_cap = 1;
  CHECK(searched(request).max_rank_span == 405);
  request.memory_cap = 0.5;
  CHECK_FALSE(make_schedule(request).ok());
  request.memory_cap = 4;
  request.times.forward.pop_back();
  CHECK_FALSE(make_schedule(request).ok());
}
