// Every row of schedule_negative.csv: refused with the reason, a deadlock that is named, or run with a warning of the
// loss.
#include <fmt/format.h>

#include "oracles.hpp"

namespace orrery::schedule::negative_test {

using namespace orrery::schedule::testing;

TEST_CASE("what must not run is refused, deadlocks are named, losses are warned of") {
  int rows = 0;
  for (const Row& row : read_table("schedule_negative.csv")) {
    const std::string& expected = row.at("expected");
    CAPTURE(fmt::format("{} p={} m={} v={} group={}: {}", row.at("schedule"), row.at("p"), row.at("m"), row.at("v"),
                        row.at("group"), expected));
    const Result<Schedule> schedule = make_schedule(request_of(row));
    ++rows;
    if (expected.rfind("runs", 0) == 0) {  // "runs, makespan 48 > ideal 39"
      REQUIRE_MESSAGE(schedule.ok(), render(schedule.errors()));
      REQUIRE(schedule->warnings.size() == 1);
      CHECK(schedule->warnings[0].find(expected.substr(6)) != std::string::npos);
      continue;
    }
    REQUIRE_FALSE(schedule.ok());
    const std::string text = render(schedule.errors());
    CHECK((text.find("deadlock: ") != std::string::npos) == (expected == "deadlock"));
    if (expected == "deadlock") {
      CHECK(text.find(" stands at ") != std::string::npos);
      CHECK(text.find(" and waits for ") != std::string::npos);
      CHECK(text.find("Megatron-LM refuses") != std::string::npos);
    } else {
      CHECK(expected == "reject");
      CHECK(text.find("unknown schedule") == std::string::npos);
    }
  }
  CHECK(rows == 20);
}

TEST_CASE("blocking messages agree with the oracle row") {
  int rows = 0;
  for (const Row& row : read_table("schedule_oracles.csv")) {
    if (row.at("schedule") != "1f1b_blocking_p2p") continue;
    ++rows;
    ScheduleRequest request = request_of(row);
    request.name = "1f1b";
    const Result<Schedule> schedule = make_schedule(request);
    REQUIRE(schedule.ok());
    const Replay played = replay(*schedule, times_of(row, request.ranks), MessageMode::rendezvous);
    REQUIRE(played.deadlock.empty());
    CHECK(played.makespan == half_units(row.at("makespan")));
    CHECK(std::abs(played.schedule_bubble_fraction() - std::stod(row.at("bubble_fraction"))) < 6e-13);
    CHECK(played.peak_until_weight == integers(row.at("peak_inflight_per_stage"), ';'));
  }
  CHECK(rows == 1);
}

TEST_CASE("a group size that Megatron-LM refuses is answered with one that is sound") {
  // 4 ranks, 9 micro-batches: 4 leaves 1 (< 4); 5 leaves 4.
  ScheduleRequest request{.name = "interleaved_1f1b", .ranks = 4, .chunks = 3, .micro_batches = 9, .times = {}};
  const Result<Schedule> refused = make_schedule(request);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.errors()[0].help.find("a last group of 1 micro-batches on 4 ranks") != std::string::npos);
  CHECK(refused.errors()[0].help.find("a group size of 5 is sound") != std::string::npos);
  request.group = 5;
  CHECK(make_schedule(request).ok());
}

TEST_CASE("interleaved_zb1p chooses groups as PyTorch does") {
  // 10 micro-batches on 4 ranks: 2 rounds of 5.
  ScheduleRequest request{.name = "interleaved_zb1p", .ranks = 4, .chunks = 2, .micro_batches = 10, .times = {}};
  const Result<Schedule> chosen = make_schedule(request);
  REQUIRE(chosen.ok());
  request.group = 5;
  CHECK(chosen->order == make_schedule(request)->order);
  request.group = 0, request.name = "interleaved_zb1p(torch)";
  CHECK(chosen->order == make_schedule(request)->order);
}

}  // namespace orrery::schedule::negative_test
