#include <doctest/doctest.h>
#include <fmt/format.h>

#include <tuple>

#include "oracles.hpp"
#include "orrery/schedule/csv.hpp"
#include "orrery/schedule/validate.hpp"

namespace orrery::schedule::make_schedule_test {

namespace {

std::string refusal(const ScheduleRequest& request) {
  const Result<Schedule> schedule = make_schedule(request);
  return schedule.ok() ? std::string("(made)") : render(schedule.errors());
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an unknown name is refused with the nearest known one") {
  const std::string text = refusal({.name = "interleaved_1fb1", .ranks = 4, .micro_batches = 8, .times = {}});
  CHECK(contains(text, "unknown schedule 'interleaved_1fb1'"));
  CHECK(contains(text, "did you mean 'interleaved_1f1b'?"));
  CHECK_FALSE(contains(refusal({.name = "completely_different_thing", .times = {}}), "did you mean"));
}

TEST_CASE("degrees a schedule does not run with are refused") {
  CHECK(contains(refusal({.name = "gpipe", .ranks = 4, .chunks = 2, .micro_batches = 8, .times = {}}),
                 "1 chunk per rank"));
  CHECK(contains(refusal({.name = "1f1b", .ranks = 0, .times = {}}), "at least 1 rank"));
  CHECK(contains(refusal({.name = "1f1b", .ranks = 1 << 20, .micro_batches = 1 << 20, .times = {}}), "2^28"));
}

TEST_CASE("the least of each degree is taken, and one less is refused") {
  const auto refused = [](const ScheduleRequest& request) { return render(check_request(request)); };
  ScheduleRequest least{.name = "1f1b", .ranks = 1, .chunks = 1, .micro_batches = 1, .group = 0, .times = {}};
  CHECK(refused(least).empty());
  for (int ScheduleRequest::*degree :
       {&ScheduleRequest::ranks, &ScheduleRequest::chunks, &ScheduleRequest::micro_batches, &ScheduleRequest::group}) {
    ScheduleRequest less = least;
    --(less.*degree);
    CHECK(contains(refused(less), "at least 1 rank, 1 chunk and 1 micro-batch, and a group size of at least 1"));
  }
  // Three operations a micro-batch: 2^28 / 3 = 89478485.3.
  least.micro_batches = 89478485;
  CHECK(refused(least).empty());
  ++least.micro_batches;
  CHECK(contains(refused(least), "more operations than can be listed (2^28)"));
  // 2^28 / 4 ranks / 2 chunks / 3 = 11184810.7.
  least = {.name = "interleaved_1f1b", .ranks = 4, .chunks = 2, .micro_batches = 11184810, .times = {}};
  CHECK(refused(least).empty());
  ++least.micro_batches;
  CHECK(contains(refused(least), "more operations"));
}

TEST_CASE("a deadlock names each blocked rank, its operation and what it waits for") {
  // Groups of 1 on 4 ranks, two chunks. Warm-up of rank 3 is 0 + 1 forward, so its list begins 3F0, 7F0, 7B0: 7F0 needs
  // 4F0 of rank 0 by way of 5F0 and 6F0. Rank 0 warms up 2·3 + 1 = 7 forwards: 0F0 4F0 0F1 4F1 …; it stands at 4F0
  // until rank 3 has run 3F0, and the 8th operation of rank 3's neighbour comes too late: the table is a deadlock row
  // of the oracles.
  const std::string text =
      refusal({.name = "interleaved_1f1b", .ranks = 4, .chunks = 2, .micro_batches = 8, .group = 1, .times = {}});
  CHECK(contains(text, "deadlock: "));
  CHECK(contains(text, "rank 0 stands at "));
  CHECK(contains(text, " and waits for "));
  CHECK(contains(text, "Megatron-LM refuses"));
}

TEST_CASE("each rule of validate can fail") {
  const Result<Schedule> good = make_schedule({.name = "1f1b", .ranks = 2, .micro_batches = 2, .times = {}});
  REQUIRE(good.ok());
  CHECK(validate(*good).empty());
  // rank 0: 0F0 0F1 0B0 0B1, rank 1: 1F0 1B0 1F1 1B1
  REQUIRE(to_csv(*good) == "0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n");
  const auto broken = [&](auto&& change) {
    Schedule schedule = *good;
    change(schedule);
    return render(validate(schedule));
  };
  CHECK(contains(broken([](Schedule& s) { s.order[0].pop_back(); }), "rank 0: 0B1 is missing"));
  CHECK(contains(broken([](Schedule& s) { s.order[1].push_back(s.order[1][0]); }),
                 "rank 1, position 4: 1F0 runs a second time"));
  CHECK(
      contains(broken([](Schedule& s) { std::swap(s.order[1][0], s.order[1][1]); }), "1B0 stands before its forward"));
  CHECK(contains(broken([](Schedule& s) { s.order[0][0].stage = 1; }), "rank 0, position 0: 1F0 belongs on rank 1"));
  CHECK(contains(broken([](Schedule& s) { s.order[0][0].micro_batch = 2; }), "0F2 is out of range"));
  // Two stages, one copy of the model: the first number beyond and below each.
  for (const int stage : {-1, 2})
    CHECK(contains(broken([&](Schedule& s) { s.order[0][0].stage = stage; }),
                   fmt::format("{}F0 is out of range", stage)));
  for (const int pipe : {-1, 1})
    CHECK(contains(broken([&](Schedule& s) { s.order[0][0].pipe = pipe; }), "is out of range"));
  CHECK(contains(broken([](Schedule& s) { s.order[0][0].micro_batch = -1; }), "0F-1 is out of range"));
  CHECK(contains(broken([](Schedule& s) { s.order[0][2].kind = OpKind::input_gradient; }), "rank 0: 0W0 is missing"));
  CHECK(contains(broken([](Schedule& s) { s.order[0][2].kind = OpKind::weight_gradient; }), "0W0 stands before its I"));
  CHECK(contains(broken([](Schedule& s) { s.placement.rank[1] = 7; }), "do not fit"));
  CHECK(contains(broken([](Schedule& s) { s.micro_batches = 3; }), "1F2 is missing"));
  // 1B1 cannot come before 0F1, and 0F1 now waits for 0B1, which needs 1B1.
  const std::string deadlock = broken([](Schedule& s) {
    s.order[0] = {s.order[0][0], s.order[0][2], s.order[0][1], s.order[0][3]};
    std::swap(s.order[1][1], s.order[1][2]);
  });
  CHECK(contains(deadlock, "rank 0 stands at 0B0 (position 1) and waits for 1B0 of rank 1"));
  CHECK(contains(deadlock, "rank 1 stands at 1F1 (position 1) and waits for 0F1 of rank 0"));
}

TEST_CASE("the list of schedules says what each one holds") {
  CHECK(schedule_kinds().size() == 18);
  for (const ScheduleKind& kind : schedule_kinds()) {
    CAPTURE(kind.name);
    const int chunks = kind.chunks == 0 ? 3 : kind.chunks;
    const Result<Schedule> made =
        make_schedule({.name = kind.name, .ranks = 4, .chunks = chunks, .micro_batches = 8, .times = {}});
    REQUIRE_MESSAGE(made.ok(), render(made.errors()));
    CHECK(made->placement.stages == 4 * chunks);
    CHECK(made->placement.pipes == kind.copies);
    CHECK(made->placement.chunks_per_rank() == chunks * kind.copies);
    CHECK(kind.chunked == (chunks > 1));
    CHECK((kind.split_backward || !made->split_backward));
    CHECK(made->name == kind.name);
  }
}

TEST_CASE("what a request is refused for by its name and degrees is known before anything is built") {
  const auto check = [](const char* name, int chunks, int micro_batches = 8) {
    return render(
        check_request({.name = name, .ranks = 4, .chunks = chunks, .micro_batches = micro_batches, .times = {}}));
  };
  for (const ScheduleKind& kind : schedule_kinds()) CHECK(check(kind.name, kind.chunks == 0 ? 2 : kind.chunks).empty());
  for (const auto& [name, chunks, micro_batches] : {std::tuple{"zb_auto", 2, 8}, {"1f2b", 1, 8}, {"gpipe", 1, 0}}) {
    const ScheduleRequest request{
        .name = name, .ranks = 4, .chunks = chunks, .micro_batches = micro_batches, .times = {}};
    CHECK_FALSE(check_request(request).empty());
    CHECK(render(check_request(request)) == render(make_schedule(request).errors()));
  }
}

}  // namespace orrery::schedule::make_schedule_test
