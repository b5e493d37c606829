// The schedule oracles, lowered to a Program and played by the engine of `run`: one unit = 10⁶ ps.
#include "../schedule/oracles.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/engine/account.hpp"
#include "orrery/engine/engine.hpp"
#include "orrery/program/schedule_program.hpp"

namespace orrery::oracles_test {

using namespace orrery::schedule::testing;
using program::Release;

namespace {

constexpr std::int64_t kHalfUnit = 500'000;

std::vector<Time> in_ps(const std::vector<std::int64_t>& half_units) {
  std::vector<Time> times;
  for (const std::int64_t t : half_units) times.push_back(Time{t * kHalfUnit});
  return times;
}

program::OperationTimes in_ps(const schedule::StageTimes& times) {
  return {in_ps(times.forward),    in_ps(times.input_gradient),     in_ps(times.weight_gradient),
          in_ps(times.overlapped), Time{times.message * kHalfUnit}, {}};
}

std::vector<int> peaks(const program::Program& played, const engine::Timeline& timeline) {
  std::vector<int> result;
  for (const engine::DeviceMemory& m : engine::memory_of(played, timeline)) result.push_back(static_cast<int>(m.peak));
  return result;
}

void check_row(const Row& row, const schedule::Schedule& schedule, const schedule::StageTimes& times, bool both_peaks) {
  auto lowered = program::lower_schedule(schedule, in_ps(times), Release::weight_gradient);
  REQUIRE(lowered.ok());
  const engine::Timeline timeline = engine::evaluate_one_pass(*lowered);
  CHECK(timeline.makespan.value == half_units(row.at("makespan")) * kHalfUnit);
  const engine::ScheduleBubbles bubbles = engine::schedule_bubbles(*lowered, timeline);
  CHECK(bubbles.longest_span == half_units(row.at("max_rank_span")) * kHalfUnit);
  CHECK(std::abs(bubbles.bubble() - std::stod(row.at("bubble_fraction"))) < 6e-13);
  CHECK(peaks(*lowered, timeline) == integers(row.at("peak_inflight_per_stage"), ';'));
  CHECK(engine::audit(*lowered, timeline, engine::split_time(*lowered, timeline), engine::memory_of(*lowered, timeline))
            .empty());

  const engine::Timeline events = engine::play_events(*lowered);
  CHECK(events.start == timeline.start);
  CHECK(events.end == timeline.end);
  if (!both_peaks) return;
  CHECK(std::abs(bubbles.span_bubble() - std::stod(row.at("span_bubble_rate"))) < 6e-13);
  auto early = program::lower_schedule(schedule, in_ps(times), Release::input_gradient);
  REQUIRE(early.ok());
  CHECK(peaks(*early, engine::evaluate_one_pass(*early)) == integers(row.at("peak_until_I_per_stage"), ';'));
}

}  // namespace

TEST_CASE("the engine plays the schedule oracles exactly") {
  int rows = 0;
  for (const Row& row : read_table("schedule_oracles.csv")) {
    if (!is_kind(row.at("schedule"))) continue;
    CAPTURE(fmt::format("{} p={} m={} v={}", row.at("schedule"), row.at("p"), row.at("m"), row.at("v")));
    auto schedule = schedule::make_schedule(request_of(row));
    REQUIRE(schedule.ok());
    check_row(row, *schedule, times_of(row, schedule->placement.stages), true);
    ++rows;
  }
  CHECK(rows > 30);
}

TEST_CASE("the engine plays the schedule oracles with unequal stages exactly") {
  int rows = 0;
  for (const Row& row : read_table("schedule_oracles_nonuniform.csv")) {
    if (!is_kind(row.at("schedule"))) continue;
    CAPTURE(fmt::format("{} p={} m={} v={}", row.at("schedule"), row.at("p"), row.at("m"), row.at("v")));
    auto schedule = schedule::make_schedule(request_of(row));
    REQUIRE(schedule.ok());
    check_row(row, *schedule, times_of(row, schedule->placement.stages), false);
    ++rows;
  }
  CHECK(rows > 20);
}

TEST_CASE("blocking messages play the oracle of 1F1B with rendezvous exactly") {
  int rows = 0;
  for (const Row& row : read_table("schedule_oracles.csv")) {
    if (row.at("schedule") != "1f1b_blocking_p2p") continue;
    schedule::ScheduleRequest request;
    request.ranks = integer(row.at("p"));
    request.micro_batches = integer(row.at("m"));
    const auto schedule = schedule::make_schedule(request);
    REQUIRE(schedule.ok());
    program::OperationTimes times = in_ps(times_of(row, schedule->placement.stages));
    times.mode = program::MessageMode::rendezvous;
    const auto lowered = program::lower_schedule(*schedule, times, Release::weight_gradient);
    REQUIRE(lowered.ok());
    const engine::Timeline timeline = engine::evaluate_one_pass(*lowered);
    CHECK(timeline.makespan.value == half_units(row.at("makespan")) * kHalfUnit);
    CHECK(peaks(*lowered, timeline) == integers(row.at("peak_inflight_per_stage"), ';'));
    ++rows;
  }
  CHECK(rows == 1);
}

// 1F1B with blocking messages: + (2m + 2p − 5)c for p ≥ 3, + (m + 1)c for p = 2 (reference replay, F = 2, B = 4, c = 1,
// 2).
TEST_CASE("blocking messages cost 1F1B what the closed form says") {
  for (int p = 2; p <= 6; ++p)
    for (int m = p; m <= 3 * p; ++m)
      for (std::int64_t c = 1; c <= 2; ++c) {
        CAPTURE(fmt::format("p={} m={} c={}", p, m, c));
        schedule::ScheduleRequest request;
        request.ranks = p;
        request.micro_batches = m;
        const auto schedule = schedule::make_schedule(request);
        REQUIRE(schedule.ok());
        program::OperationTimes times = in_ps(schedule::uniform_times(p, 4, 4, 4, 2 * c));
        times.mode = program::MessageMode::rendezvous;
        const auto lowered = program::lower_schedule(*schedule, times, Release::weight_gradient);
        REQUIRE(lowered.ok());
        const std::int64_t extra = p == 2 ? (m + 1) * c : (2 * m + 2 * p - 5) * c;
        CHECK(engine::evaluate_one_pass(*lowered).makespan.value == ((m + p - 1) * 6 + extra) * 2 * kHalfUnit);
      }
}

// Steps that follow each other rank by rank: the ranks of ZB-H2 form a parallelogram that fits the one before, so a
// step takes the span of a rank, m·T + (p − 1)·max(0, I − F, F + I − 2W), and not the makespan, which is (p − 1)·F more
// (schedules.md section 1). The same of GPipe and 1F1B: rank 0 has the longest span, and it is the makespan.
TEST_CASE("steps that nothing holds together take the longest span of a rank each") {
  for (const char* name : {"zb_h2", "zb_h1", "1f1b", "gpipe"})
    for (int p = 2; p <= 6; ++p)
      for (const int m : {2 * p - 1, 2 * p, 3 * p + 1})
        for (const auto& [f, i, w] : {std::array{1, 1, 1}, {2, 2, 3}, {3, 2, 2}, {2, 3, 1}})
          for (const int steps : {2, 3}) {
            CAPTURE(fmt::format("{} p={} m={} F={} I={} W={} steps={}", name, p, m, f, i, w, steps));
            schedule::ScheduleRequest request;
            request.name = name;
            request.ranks = p;
            request.micro_batches = m;
            const auto schedule = schedule::make_schedule(request);
            REQUIRE(schedule.ok());
            const program::OperationTimes times = in_ps(schedule::uniform_times(p, 2 * f, 2 * i, 2 * w));
            const auto lowered = program::lower_schedule(*schedule, times, Release::weight_gradient, steps);
            REQUIRE(lowered.ok());
            const engine::Timeline timeline = engine::evaluate_one_pass(*lowered);
            const std::string kind = name;
            const int skew = kind == "zb_h2"   ? std::max({0, i - f, f + i - 2 * w})
                             : kind == "zb_h1" ? std::max(i, f + i - w)
                                               : f + i + w;
            CHECK(timeline.step_time.value == (m * (f + i + w) + (p - 1) * skew) * 2 * kHalfUnit);
            CHECK(engine::schedule_bubbles(*lowered, timeline).longest_span == timeline.step_time.value);
            CHECK(engine::play_events(*lowered).step_time == timeline.step_time);
            const auto split = engine::split_time(*lowered, timeline);
            for (const engine::Breakdown& device : split)
              CHECK(device[0] == m * (f + i + w) * 2 * kHalfUnit);  // its own work of one step, and no other
            CHECK(engine::audit(*lowered, timeline, split, engine::memory_of(*lowered, timeline)).empty());
          }
}

}  // namespace orrery::oracles_test
