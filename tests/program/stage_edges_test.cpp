// Lowering of schedules by hand: who feeds whom, on which rank, and what of it is a message.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "../schedule/drawn.hpp"
#include "../schedule/reference.hpp"
#include "orrery/core/random.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/engine/engine.hpp"
#include "orrery/program/schedule_program.hpp"
#include "orrery/schedule/csv.hpp"
#include "orrery/schedule/replay.hpp"
#include "orrery/schedule/validate.hpp"

namespace orrery::schedule::stage_edges_test {

using layout::StageGraph;
using program::Activity;
using program::Program;

namespace {

Schedule from_text(const std::string& text) {
  const Result<Schedule> schedule = from_csv(text, "by hand");
  REQUIRE_MESSAGE(schedule.ok(), render(schedule.errors()));
  return *schedule;
}

program::OperationTimes in_ps(const StageTimes& times, program::MessageMode mode) {
  const auto ps = [](const std::vector<std::int64_t>& all) {
    std::vector<Time> result;
    for (const std::int64_t t : all) result.push_back(Time{t});
    return result;
  };
  return {ps(times.forward), ps(times.input_gradient), ps(times.weight_gradient), {}, Time{times.message}, mode};
}

Result<Program> lowered(const Schedule& schedule, const StageGraph& stages, const StageTimes& times,
                        program::MessageMode mode = program::MessageMode::asynchronous) {
  return program::lower_schedule(schedule, stages, in_ps(times, mode), program::Release::weight_gradient);
}

// "A0 0>2" the activation that stage 0 sends of any micro-batch, from rank 0 to rank 2; each kind once.
std::set<std::string> messages_of(const Program& program, std::size_t& count) {
  std::set<std::string> kinds;
  count = 0;
  for (program::TaskId task = 0; task < program.tasks(); ++task) {
    const program::Participant* ends = &program.participant(task);
    const program::Operation& op = program.operations[ends[0].operation];
    if (op.activity != Activity::send_forward && op.activity != Activity::send_backward) continue;
    ++count;
    kinds.insert(fmt::format("{}{} {}>{}", op.activity == Activity::send_forward ? 'A' : 'G', op.stage, ends[0].device,
                             ends[1].device));
  }
  return kinds;
}

std::int64_t makespan(const Program& program) {
  const engine::Timeline timeline = engine::evaluate_one_pass(program);
  CHECK(engine::play_events(program).end == timeline.end);
  CHECK(engine::audit(program, timeline, engine::split_time(program, timeline), engine::memory_of(program, timeline))
            .empty());
  return timeline.makespan.value;
}

// Relabels the ranks: what was rank r is rank to[r].
Schedule moved(const Schedule& schedule, const std::vector<int>& to) {
  Schedule result = schedule;
  for (auto& rank : result.placement.rank) rank = to[static_cast<std::size_t>(rank)];
  for (std::size_t r = 0; r < to.size(); ++r) result.order[static_cast<std::size_t>(to[r])] = schedule.order[r];
  return result;
}

std::vector<int> shuffled(int n, Random& random) {
  std::vector<int> to;
  for (int r = 0; r < n; ++r) to.push_back(r);
  for (std::size_t i = to.size(); i > 1; --i) std::swap(to[i - 1], to[random.below(i)]);
  return to;
}

testing::RefPlay reference(const Schedule& schedule, const StageGraph& stages, const StageTimes& times) {
  std::vector<testing::RefOrder> orders;
  for (const auto& order : schedule.order) {
    orders.emplace_back();
    for (const Operation& o : order)
      orders.back().push_back({"FBIWX"[static_cast<std::size_t>(o.kind)], o.stage, o.micro_batch, o.pipe,
                               o.backward_stage, o.backward_micro_batch, o.backward_pipe});
  }
  const Placement& p = schedule.placement;
  std::vector<std::vector<int>> rank(static_cast<std::size_t>(p.pipes));
  for (int pipe = 0; pipe < p.pipes; ++pipe)
    for (int s = 0; s < p.stages; ++s) rank[static_cast<std::size_t>(pipe)].push_back(p.rank_of(s, pipe));
  testing::RefEdges edges;
  for (const layout::StageEdge& e : stages.edges()) edges.push_back({e.from, e.to});
  return testing::play_reference(orders, rank,
                                 {times.forward, times.input_gradient, times.weight_gradient, times.message, 0}, edges);
}

// Replay, engine and reference agree; with blocking messages, replay and engine, in their refusals too. Makespans, −1
// for a deadlock.
std::pair<std::int64_t, std::int64_t> check_played(const Schedule& schedule, const StageGraph& stages,
                                                   const StageTimes& times) {
  const testing::RefPlay wanted = reference(schedule, stages, times);
  CHECK_FALSE(wanted.deadlock);
  CHECK(validate(schedule, stages).empty());
  const Replay free = replay(schedule, stages, times);
  CHECK(free.makespan == wanted.makespan);
  CHECK(free.peak_until_weight == wanted.peak);
  CHECK(makespan(*lowered(schedule, stages, times)) == wanted.makespan);

  const Replay blocking = replay(schedule, stages, times, schedule::MessageMode::rendezvous);
  const Result<Program> program = lowered(schedule, stages, times, program::MessageMode::rendezvous);
  CHECK(program.ok() == blocking.deadlock.empty());
  if (!program.ok()) {
    CHECK(render(program.errors()).find("deadlock") != std::string::npos);
    for (const Blocked& blocked : blocking.deadlock) CHECK(to_string(blocked).find("rank") != std::string::npos);
    return {free.makespan, -1};
  }
  CHECK(makespan(*program) == blocking.makespan);
  CHECK(blocking.makespan >= free.makespan);
  return {free.makespan, blocking.makespan};
}

}  // namespace

TEST_CASE("a stage that two others read feeds both") {
  // Stage 0 feeds 1 and 2, both feed 3. F = I = W = 1, a message 1, one micro-batch, a rank a stage:
  //   F0 0-1, on ranks 1 and 2 at 2; F1 and F2 2-3, on rank 3 at 4; F3 4-5, B3 5-7, on ranks 1 and 2 at 8;
  //   B1 and B2 8-10, on rank 0 at 11; B0 11-13. Four activations and four gradients.
  // A chain of the same four: F at 0, 2, 4, 6, B at 7, 10, 13, 16-18; three and three.
  const Schedule schedule = from_text("0F0,0B0\n1F0,1B0\n2F0,2B0\n3F0,3B0\n");
  const StageGraph diamond(4, {{0, 1, {}, ""}, {0, 2, {}, ""}, {1, 3, {}, ""}, {2, 3, {}, ""}});
  const StageTimes times = uniform_times(4, 1, 1, 1, 1);
  // Blocking, an exchange ends when all of it is done: rank 0 sends both at 1, done 2; ranks 1 and 2 send at 3, done 4;
  // the gradients of rank 3 leave at 7, of ranks 1 and 2 at 10: nobody waits longer than above.
  CHECK(check_played(schedule, diamond, times) == std::pair<std::int64_t, std::int64_t>{13, 13});
  CHECK(check_played(schedule, layout::stage_chain(4), times).first == 18);
  std::size_t count = 0;
  CHECK(messages_of(*lowered(schedule, diamond, times), count) ==
        std::set<std::string>{"A0 0>1", "A0 0>2", "A1 1>3", "A2 2>3", "G1 1>0", "G2 2>0", "G3 3>1", "G3 3>2"});
  CHECK(count == 8);
}

TEST_CASE("a connection that skips a stage is a message of its own") {
  // Stage 0 feeds 1 and 2, 1 feeds 2; two micro-batches, all forwards first; F = 1, B = 2, a message 1.
  //   rank 0: F0 0-1, F1 1-2. rank 1: F0 2-3, F1 3-4. rank 2: F0 4-5, F1 5-6, B0 6-8, B1 8-10.
  //   rank 1: B0 9-11, B1 11-13. rank 0: B0 12-14 (from rank 2 at 9, from rank 1 at 12), B1 14-16.
  const Schedule schedule = from_text("0F0,0F1,0B0,0B1\n1F0,1F1,1B0,1B1\n2F0,2F1,2B0,2B1\n");
  const StageGraph skip(3, {{0, 1, {}, ""}, {0, 2, {}, ""}, {1, 2, {}, ""}});
  const StageTimes times = uniform_times(3, 1, 1, 1, 1);
  CHECK(check_played(schedule, skip, times).first == 16);
  std::size_t count = 0;
  CHECK(messages_of(*lowered(schedule, skip, times), count) ==
        std::set<std::string>{"A0 0>1", "A0 0>2", "A1 1>2", "G1 1>0", "G2 2>0", "G2 2>1"});
  CHECK(count == 12);
  // Without 1 → 2, stage 2 starts beside stage 1: F0 2-3, F1 3-4, B0 4-6, B1 6-8, and rank 1 runs B0 at once, 4-6, 6-8;
  // rank 0: B0 7-9, B1 9-11.
  CHECK(check_played(schedule, StageGraph(3, {{0, 1, {}, ""}, {0, 2, {}, ""}}), times).first == 11);
}

TEST_CASE("stages on one rank send each other nothing") {
  // Stages 0 and 1 on rank 0, 2 and 3 on rank 1: F0 0-1, F1 1-2, message, F2 3-4, F3 4-5, B3 5-7, B2 7-9, message,
  // B1 10-12, B0 12-14.
  const Schedule schedule = from_text("0F0,1F0,1B0,0B0\n2F0,3F0,3B0,2B0\n");
  const StageTimes times = uniform_times(4, 1, 1, 1, 1);
  CHECK(check_played(schedule, layout::stage_chain(4), times) == std::pair<std::int64_t, std::int64_t>{14, 14});
  std::size_t count = 0;
  CHECK(messages_of(*lowered(schedule, layout::stage_chain(4), times), count) ==
        std::set<std::string>{"A1 0>1", "G2 1>0"});
  // Both readers of stage 0 on rank 1: two edges, two messages.
  const StageGraph fan(3, {{0, 1, {}, ""}, {0, 2, {}, ""}});
  const Schedule two = from_text("0F0,0B0\n1F0,2F0,2B0,1B0\n");
  CHECK(messages_of(*lowered(two, fan, uniform_times(3, 1, 1, 1, 1)), count) ==
        std::set<std::string>{"A0 0>1", "G1 1>0", "G2 1>0"});
  CHECK(count == 4);
}

TEST_CASE("stages stand on any ranks: a schedule plays as long wherever its ranks are") {
  Random random(41);
  int blocked = 0;
  for (const char* name : {"gpipe", "1f1b", "interleaved_1f1b", "looped_bfs", "zb_h1", "zb_h2", "zbv", "dualpipe",
                           "chimera", "interleaved_zb1p", "eager_1f1b"})
    for (int i = 0; i < 6; ++i) {
      const int p = 2 * (1 + static_cast<int>(random.below(3))), m = 2 * p * (1 + static_cast<int>(random.below(2)));
      const bool chunked = std::string(name).rfind("inter", 0) == 0 || std::string(name) == "looped_bfs";
      const Result<Schedule> made =
          make_schedule({.name = name, .ranks = p, .chunks = chunked ? 2 : 1, .micro_batches = m, .times = {}});
      REQUIRE(made.ok());
      const std::vector<int> to = shuffled(p, random);
      CAPTURE(fmt::format("{} p={} m={} ranks {}", name, p, m, fmt::join(to, " ")));
      StageTimes times = uniform_times(made->placement.stages, 0, 0, 0, static_cast<std::int64_t>(random.below(4)));
      for (auto* of : {&times.forward, &times.input_gradient, &times.weight_gradient})
        for (auto& t : *of) t = 1 + static_cast<std::int64_t>(random.below(5));
      const StageGraph chain = layout::stage_chain(made->placement.stages);
      const auto here = check_played(*made, chain, times), there = check_played(moved(*made, to), chain, times);
      CHECK(here == there);
      blocked += here.second < 0 ? 1 : 0;
      const Result<Schedule> file = from_csv(to_csv(moved(*made, to)), "moved.csv");
      REQUIRE(file.ok());
      CHECK(file->placement.rank == moved(*made, to).placement.rank);
    }
  CHECK(blocked < 60);
}

TEST_CASE("any graph of stages on any ranks plays as the reference does") {
  Random random(43);
  int blocked = 0, skips = 0;
  for (int i = 0; i < 400; ++i) {
    const auto below = [&](int n) { return static_cast<int>(random.below(static_cast<std::uint64_t>(n))); };
    const testing::Drawn drawn = testing::draw(random, 1 + below(4), 1 + below(6), 1 + below(4), true);
    StageTimes times =
        uniform_times(drawn.schedule.placement.stages, 0, 0, 0, static_cast<std::int64_t>(random.below(4)));
    for (auto* of : {&times.forward, &times.input_gradient, &times.weight_gradient})
      for (auto& t : *of) t = 1 + static_cast<std::int64_t>(random.below(5));
    CAPTURE(i);
    const auto here = check_played(drawn.schedule, drawn.stages, times);
    CHECK(check_played(moved(drawn.schedule, shuffled(drawn.schedule.placement.ranks, random)), drawn.stages, times)
              .first == here.first);
    blocked += here.second < 0 ? 1 : 0;
    for (const layout::StageEdge& e : drawn.stages.edges()) skips += e.to - e.from > 1 ? 1 : 0;
  }
  CHECK(blocked > 20);  // orders drawn without a thought of blocking messages
  CHECK(blocked < 300);
  CHECK(skips > 200);
}

TEST_CASE("stages that feed each other in a ring are refused") {
  const Schedule schedule = from_text("0F0,0B0\n1F0,1B0\n");
  const StageGraph ring(2, {{0, 1, {}, ""}, {1, 0, {}, ""}});
  CHECK(render(validate(schedule, ring)).find("deadlock: 2 of 2 ranks wait for ever") != std::string::npos);
  CHECK(render(validate(schedule, StageGraph(3))).find("do not fit") != std::string::npos);
}

}  // namespace orrery::schedule::stage_edges_test
