// zb_auto: at least as good as the oracle rows and as the handcrafted schedules, within its memory.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "oracles.hpp"

namespace orrery::schedule::zb_auto_test {

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

// All orders of F, I and W of a rank within the cap: 5, 42, 462 for 2, 3, 4 micro-batches without one.
void list_orders(int rank, int m, int cap, std::vector<Operation>& so_far, int f, int i, int w,
                 std::vector<std::vector<Operation>>& all) {
  if (w == m) return all.push_back(so_far);
  const auto with = [&](OpKind kind, int k, int df, int di, int dw) {
    so_far.push_back({kind, rank, k});
    list_orders(rank, m, cap, so_far, f + df, i + di, w + dw, all);
    so_far.pop_back();
  };
  if (f < m && f - w < cap) with(OpKind::forward, f, 1, 0, 0);
  if (i < f) with(OpKind::input_gradient, i, 0, 1, 0);
  if (w < i) with(OpKind::weight_gradient, w, 0, 0, 1);
}

std::int64_t smallest_span(Schedule& schedule, const std::vector<std::vector<std::vector<Operation>>>& orders,
                           const StageTimes& times, std::size_t rank = 0) {
  if (rank == orders.size()) {
    const Replay played = replay(schedule, times);
    return played.deadlock.empty() ? played.max_rank_span : std::numeric_limits<std::int64_t>::max();
  }
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const auto& order : orders[rank]) {
    schedule.order[rank] = order;
    least = std::min(least, smallest_span(schedule, orders, times, rank + 1));
  }
  return least;
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

TEST_CASE("zb_auto finds the optimum of small cases, by trying all orders") {
  const std::vector<std::array<std::int64_t, 4>> cases = {
      {1, 1, 1, 0}, {2, 3, 1, 0}, {10, 9, 6, 1}, {3, 1, 2, 2}, {1, 4, 2, 0}};
  for (const auto& [p, m] : {std::pair{2, 2}, {2, 3}, {3, 2}}) {
    for (const auto& [f, i, w, c] : cases) {
      for (int cap = 1; cap <= m; ++cap) {
        CAPTURE(fmt::format("p={} m={} F={} I={} W={} c={} cap={}", p, m, f, i, w, c, cap));
        ScheduleRequest request{
            .name = "zb_auto", .ranks = p, .micro_batches = m, .times = uniform_times(p, f, i, w, c)};
        request.memory_cap = cap;
        Schedule schedule = *make_schedule(request);
        const std::int64_t found = replay(schedule, request.times).max_rank_span;
        std::vector<std::vector<std::vector<Operation>>> orders(static_cast<std::size_t>(p));
        std::vector<Operation> so_far;
        for (int r = 0; r < p; ++r) list_orders(r, m, cap, so_far, 0, 0, 0, orders[static_cast<std::size_t>(r)]);
        CHECK(found == smallest_span(schedule, orders, request.times));
      }
    }
  }
}

}  // namespace orrery::schedule::zb_auto_test
