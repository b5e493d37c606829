// Every row of the oracle tables, exactly: makespan, both bubbles, peaks and the order, operation by operation.
#include "oracles.hpp"

#include <fmt/format.h>

#include <set>

#include "orrery/schedule/csv.hpp"

namespace orrery::schedule::oracles_test {

using namespace orrery::schedule::testing;

namespace {

// The tables print fractions with 12 digits.
bool same_fraction(double value, const std::string& printed) {
  return std::abs(value - std::stod(printed)) < 6e-13;
}

Schedule made(const ScheduleRequest& request) {
  Result<Schedule> schedule = make_schedule(request);
  REQUIRE_MESSAGE(schedule.ok(), render(schedule.errors()));
  return *schedule;
}

const std::set<std::string> kOutside = {"1f1b_v", "zbv_greedy", "wave_greedy"};  // not offered
const std::set<std::string> kElsewhere = {"zb_auto_heuristic", "zb_auto_ilp",
                                          "1f1b_blocking_p2p"};  // tests of their own

}  // namespace

TEST_CASE("schedules with equal stages agree with the oracle rows") {
  const auto orders = read_orders();
  std::map<std::string, int> rows;
  for (const Row& row : read_table("schedule_oracles.csv")) {
    const std::string& name = row.at("schedule");
    if (kOutside.count(name) != 0 || kElsewhere.count(name) != 0) continue;
    ++rows[name];
    CAPTURE(fmt::format("{} p={} m={} v={} F={} I={} W={} c={}", name, row.at("p"), row.at("m"), row.at("v"),
                        row.at("tF"), row.at("tI"), row.at("tW"), row.at("tcomm")));
    const Schedule schedule = made(request_of(row));
    CHECK(schedule.warnings.empty());
    if (const auto order = orders.find(row.at("order_sha")); order != orders.end()) {
      CHECK(to_csv(schedule) == order->second);  // the largest orders are not in the file
    }
    const Replay played = replay(schedule, times_of(row, schedule.placement.stages));
    REQUIRE(played.deadlock.empty());
    CHECK(played.makespan == half_units(row.at("makespan")));
    CHECK(played.max_rank_span == half_units(row.at("max_rank_span")));
    CHECK(same_fraction(played.schedule_bubble_fraction(), row.at("bubble_fraction")));
    CHECK(same_fraction(played.span_bubble_fraction(), row.at("span_bubble_rate")));
    CHECK(played.peak_until_weight == integers(row.at("peak_inflight_per_stage"), ';'));
    CHECK(played.peak_until_input == integers(row.at("peak_until_I_per_stage"), ';'));
  }
  const std::map<std::string, int> all = {
      {"gpipe", 6},  {"1f1b", 9},  {"eager_1f1b", 2}, {"interleaved_1f1b", 24}, {"looped_bfs", 9},
      {"zb_h1", 15}, {"zb_h2", 7}, {"zbv", 13},       {"interleaved_zb1p", 3},  {"interleaved_1f1b_overlap", 4},
      {"v_half", 3}, {"v_min", 4}, {"dualpipe", 10},  {"dualpipev", 13},        {"chimera", 11}};
  CHECK(rows == all);
}

TEST_CASE("schedules with unequal stages agree with the oracle rows") {
  int rows = 0;
  for (const Row& row : read_table("schedule_oracles_nonuniform.csv")) {
    const std::string& name = row.at("schedule");
    ++rows;
    CAPTURE(fmt::format("{} p={} m={} v={} c={} {}", name, row.at("p"), row.at("m"), row.at("v"), row.at("tcomm"),
                        row.at("notes")));
    const Schedule schedule = made(request_of(row));
    const Replay played = replay(schedule, times_of(row, schedule.placement.stages));
    REQUIRE(played.deadlock.empty());
    CHECK(played.makespan == half_units(row.at("makespan")));
    CHECK(played.max_rank_span == half_units(row.at("max_rank_span")));
    CHECK(same_fraction(played.schedule_bubble_fraction(), row.at("bubble_fraction")));
    CHECK(played.peak_until_weight == integers(row.at("peak_inflight_per_stage"), ';'));
    std::int64_t busy = 0;
    for (const int value : integers(row.at("busy_per_rank"), ';')) busy += 2 * value;
    CHECK(played.busy == busy);
  }
  CHECK(rows == 35);
}

}  // namespace orrery::schedule::oracles_test
