#include "orrery/schedule/csv.hpp"

#include <doctest/doctest.h>

#include <random>

#include "orrery/schedule/replay.hpp"

namespace orrery::schedule::csv_test {

namespace {

std::string refusal(std::string_view text) {
  const Result<Schedule> schedule = from_csv(text, "my.csv");
  return schedule.ok() ? std::string("(read)") : render(schedule.errors());
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("every schedule survives the way through CSV") {
  for (const ScheduleKind& kind : schedule_kinds()) {
    CAPTURE(kind.name);
    const ScheduleRequest request{
        .name = kind.name, .ranks = 4, .chunks = kind.chunked ? 2 : 1, .micro_batches = 8, .times = {}};
    const Result<Schedule> made = make_schedule(request);
    REQUIRE_MESSAGE(made.ok(), render(made.errors()));
    const Result<Schedule> read = from_csv(to_csv(*made), "my.csv");
    REQUIRE_MESSAGE(read.ok(), render(read.errors()));
    CHECK(read->order == made->order);
    CHECK(read->placement.rank == made->placement.rank);
    CHECK(read->placement.stages == made->placement.stages);
    CHECK(read->placement.pipes == made->placement.pipes);
    CHECK(read->micro_batches == made->micro_batches);
    CHECK(read->split_backward == made->split_backward);
    CHECK(read->warnings.empty());
    CHECK(to_csv(*read) == to_csv(*made));
  }
}

TEST_CASE("blanks, comments, carriage returns, quotes and lowered communication are read over") {
  const Result<Schedule> plain = from_csv("0F0,0B0\n1F0,1I0,1W0\n", "my.csv");
  REQUIRE(plain.ok());
  const Result<Schedule> same = from_csv("# two ranks\r\n 0F0 ,,, \"0B0\"\r\n,1F0,1I0, ,1W0\n\n", "my.csv");
  REQUIRE_MESSAGE(same.ok(), render(same.errors()));
  CHECK(same->order == plain->order);
  CHECK(same->warnings.empty());
  const Result<Schedule> lowered =
      from_csv("0UNSHARD,0F0,0SEND_F0,0RECV_B0,0B0,0REDUCE_GRAD\n1RECV_F0,1F0,1I0,1SEND_B0,1W0", "my.csv");
  REQUIRE_MESSAGE(lowered.ok(), render(lowered.errors()));
  CHECK(lowered->order == plain->order);
  REQUIRE(lowered->warnings.size() == 1);
  CHECK(contains(lowered->warnings[0], "communication operations are left out"));
}

TEST_CASE("an overlapped operation and a second pipe keep their halves") {
  // Two ranks, each with a stage of both pipes; one micro-batch a pipe.
  const std::string text = "0F0,1F0@1,1B0@1,0B0\n0F0@1,1F0,1B0,0B0@1\n";
  const Result<Schedule> schedule = from_csv(text, "my.csv");
  REQUIRE_MESSAGE(schedule.ok(), render(schedule.errors()));
  CHECK(schedule->placement.pipes == 2);
  CHECK(schedule->micro_batches == 2);
  CHECK(schedule->placement.rank == std::vector<std::int32_t>{0, 1, 1, 0});
  const Result<Schedule> overlap = from_csv("0F0,(0F1;0B0)OVERLAP_F_B,0B1", "my.csv");
  REQUIRE(overlap.ok());
  const Operation& x = overlap->order[0][1];
  CHECK(x == Operation{OpKind::overlapped, 0, 1, 0, 0, 0, 0});
}

TEST_CASE("mistakes in a CSV are shown where they stand") {
  CHECK(refusal("0F0,0Q0\n") ==
        "my.csv:1:5: '0Q0' is no operation\n    1 | 0F0,0Q0\n      |     ^^^\n"
        "  help: 0F3 is stage 0, forward, micro-batch 3; I, W, B and (0F7;7B3)OVERLAP_F_B are the others\n");
  CHECK(contains(refusal("0F0,0B0\n1F0,-1B0\n"), "my.csv:2:5: '-1B0' is no operation"));
  CHECK(contains(refusal("0F0,(0F1;0I0)OVERLAP_F_B"), "is no operation"));
  CHECK(contains(refusal("0F0,0B0x"), "'0B0x' is no operation"));
  CHECK(contains(refusal("0F99999999999"), "is no operation"));
  CHECK(contains(refusal("0F0@2,0B0@2"), "is no operation"));
  CHECK(contains(refusal(""), "no operations"));
  CHECK(contains(refusal("# nothing\n\n"), "no operations"));
  CHECK(contains(refusal("0F0,0B0\n# the second rank\n0F1,0B1\n"),
                 "my.csv:3:1: rank 1 runs stage 0, which rank 0 holds"));
  CHECK(contains(refusal("0F0,0B0,2F0,2B0,0F1,0B1"), "no rank runs stage 1"));
  CHECK(contains(refusal("0F2000000000,0B0"), "1 stages and 2000000001 micro-batches occur, but only 2 operations"));
  CHECK(contains(refusal("0F0\n1F0,1B0"), "rank 0: 0B0 is missing"));
  CHECK(contains(refusal("0F0,0B0,0F1,0B1\n1F1,1B1,1F0,1B0"), "deadlock: 2 of 2 ranks wait for ever"));
}

TEST_CASE("no text makes the reader fail other than by a diagnostic") {
  const std::string alphabet = "01239FBIW@();,\n OVERLAP_SENDR\"#-";
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    const std::size_t length = random() % 60;
    for (std::size_t i = 0; i < length; ++i) text += alphabet[random() % alphabet.size()];
    const Result<Schedule> schedule = from_csv(text, "my.csv");
    if (!schedule.ok()) CHECK_FALSE(schedule.errors().empty());
    refused += schedule.ok() ? 0 : 1;
  }
  CHECK(refused == 3000);
  // Two operations of a good schedule exchanged: it reads, or says why not; what reads also plays.
  const Result<Schedule> good = make_schedule({.name = "dualpipev", .ranks = 3, .micro_batches = 7, .times = {}});
  REQUIRE(good.ok());
  int read = 0;
  for (int round = 0; round < 1000; ++round) {
    Schedule changed = *good;
    auto& order = changed.order[random() % 3];
    std::swap(order[random() % order.size()], order[random() % order.size()]);
    const Result<Schedule> schedule = from_csv(to_csv(changed), "my.csv");
    if (!schedule.ok()) continue;
    ++read;
    CHECK(replay(*schedule, uniform_times(6, 1, 2, 1)).deadlock.empty());
  }
  CHECK(read > 0);
  CHECK(read < 1000);
}

}  // namespace orrery::schedule::csv_test
