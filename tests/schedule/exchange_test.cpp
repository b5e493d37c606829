#include "orrery/schedule/exchange.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "orrery/schedule/csv.hpp"
#include "orrery/schedule/replay.hpp"

namespace orrery::schedule::exchange_test {

namespace {

Schedule made(const char* name, int ranks, int micro_batches, int chunks = 1) {
  const Result<Schedule> schedule =
      make_schedule({.name = name, .ranks = ranks, .chunks = chunks, .micro_batches = micro_batches, .times = {}});
  REQUIRE_MESSAGE(schedule.ok(), render(schedule.errors()));
  return *schedule;
}

// Operations as in CSV; exchanges as {>1A0 <2G0}: sends (>) or receives (<) the activation (A) or gradient (G) of a
// stage.
std::string text_of(const Schedule& schedule, int rank) {
  const BlockingProgram program = blocking_program(schedule, layout::stage_chain(schedule.placement.stages), rank);
  std::string text;
  for (const ProgramStep& step : program.steps) {
    if (!text.empty()) text += ' ';
    if (step.operation >= 0) {
      text += to_string(schedule.order[static_cast<std::size_t>(rank)][static_cast<std::size_t>(step.operation)]);
      continue;
    }
    text += '{';
    for (int i = 0; i < step.message_count; ++i) {
      const Message& m = program.messages[static_cast<std::size_t>(step.first_message + i)];
      text += fmt::format("{}{}{}{}{}", i > 0 ? " " : "", m.sends ? '>' : '<', m.stage, m.gradient ? 'G' : 'A',
                          m.micro_batch);
    }
    text += '}';
  }
  return text;
}

}  // namespace

TEST_CASE("without interleaving a rank exchanges as Megatron-LM does") {
  // Rank 1 of 3, 2 micro-batches, warm-up 1: recv_forward, F, send_forward; recv_forward; F,
  // send_forward_recv_backward, B; the last steady B only sends; recv_backward, B, send_backward.
  CHECK(text_of(made("1f1b", 3, 2), 1) == "{<0A0} 1F0 {>1A0} {<0A1} 1F1 {>1A1 <2G0} 1B0 {>1G0} {<2G1} 1B1 {>1G1}");
  CHECK(text_of(made("1f1b", 3, 2), 0) == "0F0 {>0A0} 0F1 {>0A1} {<1G0} 0B0 {<1G1} 0B1");
  CHECK(text_of(made("1f1b", 3, 2), 2) == "{<1A0} 2F0 2B0 {>2G0 <1A1} 2F1 2B1 {>2G1}");
}

TEST_CASE("with interleaving a pair of forward and backward exchanges once") {
  // p = 2, v = 2, m = 4: rank 1 warms up 2 forwards, then pairs; stages 1 and 3.
  CHECK(text_of(made("interleaved_1f1b", 2, 4, 2), 1).substr(0, 76) ==
        "{<0A0} 1F0 {>1A0 <0A1} 1F1 {>1A1 <2A0} 3F0 3B0 {>3G0 <2A1} 3F1 3B1 {>3G1 <0A");
  // m = p: rank 0 warms up all 4 forwards (the last pass is no pair).
  CHECK(text_of(made("interleaved_1f1b", 2, 2, 2), 0) ==
        "0F0 {>0A0} 0F1 {>0A1 <1A0} 2F0 {>2A0 <1A1} 2F1 {>2A1 <3G0} 2B0 {>2G0 <3G1} 2B1 {>2G1 <1G0} 0B0 {<1G1} 0B1");
}

TEST_CASE("every message is posted once by its sender and once by its receiver") {
  for (const char* name :
       {"gpipe", "1f1b", "interleaved_1f1b", "zbv", "dualpipe", "chimera", "interleaved_1f1b_overlap"}) {
    CAPTURE(name);
    const int chunks = std::string(name).rfind("interleaved", 0) == 0 ? 2 : 1;
    const Schedule schedule = made(name, 4, 8, chunks);
    std::vector<std::string> sent, received;
    for (int rank = 0; rank < 4; ++rank) {
      for (const Message& m :
           blocking_program(schedule, layout::stage_chain(schedule.placement.stages), rank).messages) {
        const int from = m.sends ? rank : m.peer, to = m.sends ? m.peer : rank;
        (m.sends ? sent : received)
            .push_back(fmt::format("{}{}{}@{} {}-{}", m.stage, m.gradient, m.micro_batch, m.pipe, from, to));
      }
    }
    std::sort(sent.begin(), sent.end());
    std::sort(received.begin(), received.end());
    CHECK(sent == received);
    CHECK(std::adjacent_find(sent.begin(), sent.end()) == sent.end());
    CHECK_FALSE(sent.empty());
  }
}

TEST_CASE("blocking costs nothing without latency, and no less than asynchronous messages with it") {
  for (const int p : {2, 3, 4, 6}) {
    for (const int m : {p, 2 * p, 3 * p}) {
      for (int v = 1; v <= 3; ++v) {
        const Schedule schedule = made(v == 1 ? "1f1b" : "interleaved_1f1b", p, m, v);
        for (std::int64_t c = 0; c <= 2; ++c) {
          CAPTURE(fmt::format("p={} m={} v={} c={}", p, m, v, c));
          const StageTimes times = uniform_times(p * v, 2, 3, 1, c);
          const Replay blocking = replay(schedule, times, MessageMode::rendezvous), free = replay(schedule, times);
          REQUIRE(blocking.deadlock.empty());
          if (c == 0) CHECK(blocking.makespan == free.makespan);
          CHECK(blocking.makespan >= free.makespan);
        }
      }
    }
  }
}

TEST_CASE("blocking exchanges that never meet are a deadlock that is named") {
  // Rank 0 sends four activations before it takes a gradient; rank 1 gives the first gradient before it takes the
  // third.
  Schedule schedule = made("1f1b", 2, 4);
  schedule.order[0] = made("gpipe", 2, 4).order[0];
  CHECK(replay(schedule, uniform_times(2, 1, 1, 1)).deadlock.empty());
  const Replay played = replay(schedule, uniform_times(2, 1, 1, 1), MessageMode::rendezvous);
  REQUIRE(played.deadlock.size() == 2);
  CHECK(to_string(played.deadlock[0]) == "rank 0 stands at 0F3 (position 3) sending the result of 0F2 to rank 1");
  CHECK(to_string(played.deadlock[1]) == "rank 1 stands at 1F1 (position 2) sending the result of 1B0 to rank 0");
}

TEST_CASE("one chunk that warms up as several do is exchanged as several are") {
  // Two passes more on each rank than on the next: sent only with the first gradient, the second of them would let one
  // pass cross all ranks at a time (4 ranks, 16 micro-batches: 156 and 165 instead of the 57 without waiting).
  for (const char* name : {"eager_1f1b", "interleaved_1f1b"})
    for (const int ranks : {2, 4, 8})
      for (const int rounds : {1, 2, 4, 8}) {
        const Schedule s = made(name, ranks, ranks * rounds);
        const StageTimes times = uniform_times(ranks, 1, 1, 1);
        CAPTURE(name);
        CAPTURE(ranks);
        CAPTURE(rounds);
        const Replay blocking = replay(s, times, MessageMode::rendezvous);
        CHECK(blocking.deadlock.empty());
        CHECK(blocking.makespan <= 2 * replay(s, times).makespan);
      }
  CHECK(text_of(made("eager_1f1b", 2, 4), 0) ==
        "0F0 {>0A0} 0F1 {>0A1} 0F2 {>0A2 <1G0} 0F3 0B0 {>0A3 <1G1} 0B1 {<1G2} 0B2 {<1G3} 0B3");
}

}  // namespace orrery::schedule::exchange_test
