// Every schedule with a written definition against the plain reference of tests/schedule/reference.hpp: its order
// operation by operation, and its times when played alone (replay) and as a Program by the engine. Drawn at random: 1
// to 16 ranks, few and many micro-batches, chunks, groups, times of their own for each stage, latency.
#include "../schedule/reference.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/core/random.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/program/schedule_program.hpp"
#include "orrery/schedule/replay.hpp"

namespace orrery::schedule::reference_test {

using namespace orrery::schedule::testing;

namespace {

struct Case {
  std::string name;
  int p = 1, m = 1, v = 1, g = 0;
  RefTimes times;
};

int below(Random& random, int n) {
  return static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
}

std::vector<RefOrder> reference(const Case& c, std::vector<std::vector<int>>& rank) {
  const int p = c.p, m = c.m, g = std::min(m, c.g > 0 ? c.g : p);
  const bool two = c.name == "dualpipe" || c.name == "chimera", vee = c.name == "zbv" || c.name == "dualpipev";
  rank.assign(two ? 2 : 1, {});
  for (int s = 0; s < static_cast<int>(c.times.f.size()); ++s) {
    rank[0].push_back(vee ? std::min(s, 2 * p - 1 - s) : s % p);
    if (two) rank[1].push_back(p - 1 - s);
  }
  std::vector<RefOrder> orders;
  for (int r = 0; r < p; ++r) {
    RefOrder o;
    if (c.name == "gpipe") o = ref_gpipe(p, m, r);
    if (c.name == "1f1b") o = ref_1f1b(p, m, r, false);
    if (c.name == "eager_1f1b") o = ref_1f1b(p, m, r, true);
    if (c.name == "interleaved_1f1b") o = ref_interleaved(p, m, c.v, g, r, false);
    if (c.name == "interleaved_1f1b_overlap") o = ref_interleaved(p, m, c.v, g, r, true);
    if (c.name == "looped_bfs") o = ref_looped_bfs(p, m, c.v, r);
    if (c.name == "zb_h1") o = ref_split(ref_table(m, 1, m), p, 1, r, std::min(m, p - 1 - r), r, true);
    if (c.name == "zb_h2") o = ref_split(ref_table(m, 1, m), p, 1, r, 2 * (p - r) - 1, 2 * r, false);
    if (c.name == "interleaved_zb1p")
      o = ref_split(ref_table(m, c.v, g), p, c.v, r, (c.v - 1) * g + p - 1 - r, r, true);
    if (c.name == "zbv") o = ref_zbv(p, m, r);
    if (c.name == "dualpipev") o = ref_dualpipe(p, m, r, r, 2 * p - 1 - r, 0, 0);
    if (c.name == "dualpipe") {
      const bool first = r < p / 2;
      o = ref_dualpipe(p / 2, m / 2, std::min(r, p - 1 - r), first ? r : p - 1 - r, first ? p - 1 - r : r,
                       first ? 0 : 1, first ? 1 : 0);
    }
    if (c.name == "chimera") o = ref_chimera(p, m, r);
    orders.push_back(std::move(o));
  }
  return orders;
}

bool same(const Operation& made, const RefOp& wanted) {
  constexpr const char* kKinds = "FBIWX";
  const bool forward = kKinds[static_cast<std::size_t>(made.kind)] == wanted.kind && made.stage == wanted.stage &&
                       made.micro_batch == wanted.micro_batch && made.pipe == wanted.pipe;
  return forward && (wanted.kind != 'X' || (made.backward_stage == wanted.backward_stage &&
                                            made.backward_micro_batch == wanted.backward_micro_batch &&
                                            made.backward_pipe == wanted.backward_pipe));
}

void check_played(const Schedule& schedule, const Case& c, const RefPlay& wanted) {
  StageTimes times{c.times.f, c.times.i, c.times.w, c.times.message, {}};
  if (c.times.x > 0) times.overlapped.assign(times.forward.size(), c.times.x);
  const Replay played = replay(schedule, times);
  CHECK(played.makespan == wanted.makespan);
  CHECK(played.max_rank_span == wanted.span);
  CHECK(played.peak_until_weight == wanted.peak);

  const auto in_ps = [](const std::vector<std::int64_t>& all) {
    std::vector<Time> result;
    for (const std::int64_t t : all) result.push_back(Time{t});
    return result;
  };
  const program::OperationTimes ps{in_ps(times.forward),    in_ps(times.input_gradient), in_ps(times.weight_gradient),
                                   in_ps(times.overlapped), Time{c.times.message},       {}};
  const auto lowered = program::lower_schedule(schedule, ps, program::Release::weight_gradient);
  REQUIRE(lowered.ok());
  const engine::Timeline timeline = engine::evaluate_one_pass(*lowered);
  const engine::ScheduleBubbles bubbles = engine::schedule_bubbles(*lowered, timeline);
  CHECK(timeline.makespan.value == wanted.makespan);
  CHECK(bubbles.longest_span == wanted.span);
  const auto memory = engine::memory_of(*lowered, timeline);
  for (std::size_t r = 0; r < memory.size(); ++r) CHECK(memory[r].peak == wanted.peak[r]);
}

// True if it ran.
bool check_case(const Case& c) {
  CAPTURE(
      fmt::format("{} p={} m={} v={} g={} message={} X={}", c.name, c.p, c.m, c.v, c.g, c.times.message, c.times.x));
  ScheduleRequest request;
  request.name = c.name, request.ranks = c.p, request.chunks = c.v, request.micro_batches = c.m, request.group = c.g;
  const Result<Schedule> made = make_schedule(request);
  std::vector<std::vector<int>> rank;
  const std::vector<RefOrder> wanted = reference(c, rank);
  const RefPlay played = play_reference(wanted, rank, c.times);
  CHECK(made.ok() != played.deadlock);  // refused for a deadlock if and only if there is one
  if (!made.ok()) {
    CHECK(render(made.errors()).find("deadlock") != std::string::npos);
    return false;
  }
  REQUIRE(made->order.size() == wanted.size());
  for (std::size_t r = 0; r < wanted.size(); ++r) {
    REQUIRE(made->order[r].size() == wanted[r].size());
    for (std::size_t i = 0; i < wanted[r].size(); ++i)
      if (!same(made->order[r][i], wanted[r][i])) {
        FAIL_CHECK(fmt::format("rank {} position {}: expected {}{} of stage {}", r, i, wanted[r][i].kind,
                               wanted[r][i].micro_batch, wanted[r][i].stage));
        return true;
      }
  }
  check_played(*made, c, played);
  return true;
}

Case draw(const std::string& name, Random& random) {
  Case c;
  c.name = name;
  const bool interleaved = name.rfind("interleaved", 0) == 0, dual = name.rfind("dualpipe", 0) == 0;
  c.p = 1 + below(random, 16);
  c.m = 1 + below(random, random.below(2) == 0 ? c.p + 2 : 5 * c.p);
  if (name == "chimera" || name == "dualpipe") c.p = 2 * (1 + below(random, 8));
  if (name == "chimera") c.m = c.p * (1 + below(random, 4));
  if (name == "dualpipev") c.m = 2 * c.p + below(random, 3 * c.p);
  if (name == "dualpipe") c.m = 2 * c.p + 2 * below(random, 2 * c.p);
  if (interleaved || name == "looped_bfs") c.v = 1 + below(random, 6);
  if (name == "zbv" || name == "dualpipev") c.v = 2;
  if (name == "interleaved_zb1p") c.m = c.p * (1 + below(random, 5));  // else PyTorch's rule takes other groups
  if (interleaved && name != "interleaved_zb1p" && random.below(2) == 0)
    c.g = std::max(1, c.p - 1 + below(random, c.p));
  const int stages = c.p * c.v;
  const bool uniform = random.below(3) == 0;
  for (auto* times : {&c.times.f, &c.times.i, &c.times.w}) {
    for (int s = 0; s < stages; ++s) times->push_back(1 + below(random, 9));
    if (uniform) times->assign(times->size(), times->front());
  }
  c.times.message = random.below(2) == 0 ? 0 : below(random, 6);
  if (uniform && (dual || name == "interleaved_1f1b_overlap"))
    c.times.x = std::max(c.times.f[0], c.times.i[0] + c.times.w[0]);
  return c;
}

}  // namespace

TEST_CASE("schedules agree with a plain reference made from their definitions") {
  Random random(20261122);
  int ran = 0, refused = 0;
  for (const char* name : {"gpipe", "1f1b", "eager_1f1b", "interleaved_1f1b", "interleaved_1f1b_overlap", "looped_bfs",
                           "zb_h1", "zb_h2", "interleaved_zb1p", "zbv", "dualpipev", "dualpipe", "chimera"})
    for (int i = 0; i < 40; ++i) ++(check_case(draw(name, random)) ? ran : refused);
  CHECK(ran > 480);
  CHECK(refused > 5);  // groups that deadlock
}

}  // namespace orrery::schedule::reference_test
