// Operations and passes as tasks: pieces, collectives beside them, teams, the host, and what a step hangs on. Times by
// hand, in picoseconds.
#include "orrery/program/pipeline.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "orrery/engine/engine.hpp"
#include "orrery/program/schedule_program.hpp"
#include "program/pipeline_lowering.hpp"

namespace orrery::program::pipeline_test {

using schedule::OpKind;

namespace {

TimedStep compute(std::int64_t ps) {
  TimedStep step;
  step.duration = {ps}, step.name = "kernel";
  return step;
}
TimedStep tensor_call(std::int64_t ps, std::uint32_t beside = 0) {
  TimedStep step = compute(ps);
  step.lane = Lane::tensor, step.category = Category::tensor_comm, step.name = "call", step.beside = beside;
  return step;
}

// One stage on one pipeline rank, `members` devices in its team, `micro_batches` forward and backward passes in turn.
struct OneStage {
  Builder builder;
  schedule::Schedule schedule;
  layout::StageGraph graph = layout::stage_chain(1);
  PipelineInput input;
  Pass forward{{compute(10), compute(10)}}, backward{{compute(20), compute(20)}};
  std::vector<DataCall> with_forward, with_backward;
  std::vector<DeviceIndex> members;

  explicit OneStage(int micro_batches, int devices = 1) {
    auto made = schedule::make_schedule({.name = "1f1b", .ranks = 1, .micro_batches = micro_batches, .times = {}});
    REQUIRE(made.ok());
    schedule = *made;
    for (std::int32_t d = 0; d < devices; ++d) {
      Device device;
      device.ranks = {d};
      members.push_back(builder.add_device(std::move(device)));
    }
    Team team;
    team.schedule = &schedule, team.members = members;
    team.groups[layout::Dimension::tensor] = {members};
    input.teams = {team};
    input.stages = &graph;
    input.pass = [this](DeviceIndex, OpKind kind, int, int, bool) -> const Pass& {
      return kind == OpKind::forward ? forward : backward;
    };
    input.data_calls = [this](DeviceIndex, const schedule::Operation& op, bool, bool, bool) {
      return op.kind == OpKind::forward ? with_forward : with_backward;
    };
    input.data_group = [this](DeviceIndex, const DataCall&) -> const std::vector<DeviceIndex>& { return members; };
    input.peer = [](DeviceIndex d, int, int) { return d; };
  }
  OneStage(const OneStage&) = delete;
  OneStage& operator=(const OneStage&) = delete;

  DataCall call(bool gather, std::uint32_t position, std::int64_t ps, int prefetch = 0, bool replicas = false) {
    TaskTemplate t;
    t.duration = {ps};
    t.category = Category::data_comm;
    t.lane = t.partner_lane = replicas ? Lane::replicas : Lane::data;
    t.name = gather ? "gather" : replicas ? "sum" : "reduce";
    return {
        gather,   position, gather ? Activity::parameter_gather : Activity::gradient_reduce, builder.add_template(t),
        prefetch, replicas};
  }
  TaskId add(const char* name, std::int64_t ps, Lane lane = Lane::host) {
    TaskTemplate t;
    t.duration = {ps}, t.lane = t.partner_lane = lane, t.name = name, t.category = Category::host;
    return builder.add_task(builder.add_template(t), Participant{0, kNone});
  }
};

using Spans = std::vector<std::pair<std::int64_t, std::int64_t>>;
struct Played {
  std::map<std::string, Spans> of;  // by the name of the task
  std::int64_t makespan = 0;
  std::size_t tasks = 0;
};
Played play(Builder& builder) {
  const auto program = builder.finish();
  REQUIRE_MESSAGE(program.ok(), render(program.errors()));
  const engine::Timeline timeline = engine::evaluate_one_pass(*program);
  Played played;
  for (TaskId t = 0; t < program->tasks(); ++t)
    played.of[program->template_of(t).name].emplace_back(timeline.start[t], timeline.end[t]);
  for (auto& [name, spans] : played.of) std::sort(spans.begin(), spans.end());
  played.makespan = timeline.makespan.value, played.tasks = program->tasks();
  return played;
}
Played play(OneStage& stage, const StepStart& start = {}) {
  PipelineLowering(stage.input, stage.builder).run(start);
  return play(stage.builder);
}

}  // namespace

TEST_CASE("a pass is one task, or a task a step, of the same times") {
  OneStage fused(2), apart(2);
  apart.input.fuse = false;
  const Played one = play(fused), many = play(apart);
  CHECK(one.of.at("pass") == Spans{{0, 20}, {20, 60}, {60, 80}, {80, 120}});
  CHECK(many.of.at("kernel") ==
        Spans{{0, 10}, {10, 20}, {20, 40}, {40, 60}, {60, 70}, {70, 80}, {80, 100}, {100, 120}});
  CHECK(one.tasks == 4);
  CHECK(many.tasks == 8);
}

TEST_CASE("a gather comes before the steps that need it, asked for so many pieces ahead") {
  const auto played = [](int prefetch) {
    OneStage stage(1);
    stage.with_forward = {stage.call(true, 0, 4, prefetch), stage.call(true, 1, 4, prefetch)};
    return play(stage);
  };
  // Asked for when the piece before has ended: 4 before each of the two steps.
  const Played late = played(0);
  CHECK(late.of.at("gather") == Spans{{0, 4}, {14, 18}});
  CHECK(late.of.at("pass") == Spans{{4, 14}, {18, 28}, {28, 68}});
  // One piece ahead: the second gather runs beside the first step.
  const Played ahead = played(1);
  CHECK(ahead.of.at("gather") == Spans{{0, 4}, {4, 8}});
  CHECK(ahead.of.at("pass") == Spans{{4, 14}, {14, 24}, {24, 64}});
}

TEST_CASE("a gather asked for ahead waits for the step before, if there was one") {
  OneStage stage(1);
  stage.with_forward = {stage.call(true, 0, 4, 1)};
  StepStart start;
  start.previous = {stage.add("before", 100)};
  CHECK(play(stage, start).of.at("gather") == Spans{{100, 104}});
}

TEST_CASE("gradients are reduced behind their steps, beside those that follow; the optimizer waits for them") {
  OneStage stage(1);
  stage.with_backward = {stage.call(false, 1, 30), stage.call(false, 2, 30)};
  PipelineLowering lowering(stage.input, stage.builder);
  const PipelineEnds ends = lowering.run({});
  REQUIRE(ends.reductions.at(0).size() == 2);
  CHECK(ends.tail.at(0) != kNone);
  const Played played = play(stage.builder);
  CHECK(played.of.at("pass") == Spans{{0, 20}, {20, 40}, {40, 60}});  // nothing waits
  CHECK(played.of.at("reduce") == Spans{{40, 70}, {70, 100}});        // their lane keeps their order
}

TEST_CASE("the sum among replicas follows the scatter of the same gradients, beside the next scatter") {
  OneStage stage(1);
  stage.with_backward = {stage.call(false, 1, 30), stage.call(false, 1, 25, 0, true), stage.call(false, 2, 30),
                         stage.call(false, 2, 25, 0, true)};
  const Played played = play(stage);
  CHECK(played.of.at("reduce") == Spans{{40, 70}, {70, 100}});
  CHECK(played.of.at("sum") == Spans{{70, 95}, {100, 125}});
}

TEST_CASE("members of a team make a call together, and a group waits for its slowest") {
  OneStage stage(1, 2);
  stage.input.teams[0].alike = false;
  stage.forward = {{compute(10), tensor_call(5), compute(10)}};
  Pass slow{{compute(30), tensor_call(5), compute(10)}};
  stage.input.pass = [&](DeviceIndex d, OpKind kind, int, int, bool) -> const Pass& {
    return kind != OpKind::forward ? stage.backward : d == 0 ? stage.forward : slow;
  };
  const Played played = play(stage);
  CHECK(played.of.at("call") == Spans{{30, 35}});  // one task for both
  CHECK(played.of.at("kernel") == Spans{{0, 10}, {0, 30}, {35, 45}, {35, 45}, {45, 65}, {45, 65}, {65, 85}, {65, 85}});
}

TEST_CASE("alike members share a fused pass; two groups make a call each") {
  OneStage stage(1, 2);
  CHECK(play(stage).tasks == 2);
  OneStage apart(1, 4);
  apart.forward = {{tensor_call(5)}};
  apart.input.fuse = false;
  apart.input.teams[0].groups[layout::Dimension::tensor] = {{0, 1}, {2, 3}};
  CHECK(play(apart).of.at("call").size() == 2);
}

TEST_CASE("a call still in flight at the end of a piece is waited for there") {
  OneStage stage(1);
  stage.input.fuse = false;
  stage.forward = {{tensor_call(50, 2), compute(10), compute(10)}};
  const Played played = play(stage);
  CHECK(played.of.at("call") == Spans{{0, 50}});
  CHECK(played.of.at("kernel") == Spans{{0, 10}, {10, 20}, {50, 70}, {70, 90}});
}

TEST_CASE("the host launches ahead, and a device waits where it is slower") {
  OneStage stage(1);
  for (TimedStep& s : stage.forward.steps) s.launch = {30};
  for (TimedStep& s : stage.backward.steps) s.launch = {1};
  // Launched at 30 and 60: the second step starts at 60. Of the pass of 20 the host is 50 ahead of the rest.
  const Played played = play(stage);
  CHECK(played.of.at("pass") == Spans{{50, 70}, {70, 110}});
  CHECK(played.of.at("launch").front() == std::pair<std::int64_t, std::int64_t>{0, 50});
  CHECK(played.makespan == 110);
  OneStage apart(1);
  apart.input.fuse = false, apart.forward = stage.forward, apart.backward = stage.backward;
  CHECK(play(apart).makespan == 110);
}

TEST_CASE("a blocking launch is time of the device, fused or not") {
  for (const bool fuse : {true, false}) {
    OneStage stage(1);
    stage.input.fuse = fuse;
    for (TimedStep& s : stage.forward.steps) s.before = {30};
    const Played played = play(stage);
    CHECK(played.makespan == 30 + 10 + 30 + 10 + 40);
    if (!fuse) CHECK(played.of.at("launch") == Spans{{0, 30}, {40, 70}});
    if (fuse) CHECK(played.of.at("pass") == Spans{{0, 80}, {80, 120}});
  }
}

TEST_CASE("kernels beside collectives that slow them are one task, or with calls beside them a task each") {
  // A reduction of 30 behind the first kernel of the backward pass, which two of 20 follow, or a call beside the last.
  const auto slowed = [](const Pass& backward, bool fuse) {
    OneStage stage(1);
    stage.with_backward = {stage.call(false, 1, 30)};
    stage.backward = backward;
    stage.input.fuse = fuse;
    stage.input.slowdown_class = stage.builder.add_slowdown({3, 2});
    PipelineLowering(stage.input, stage.builder).run({});
    return std::move(stage.builder.finish()).value();
  };
  const auto count = [](const Program& program) {
    int slowable = 0;
    for (TaskId t = 0; t < program.tasks(); ++t) slowable += program.template_of(t).slowdown_class == 1 ? 1 : 0;
    return slowable;
  };
  const Pass chain{{compute(20), compute(20), tensor_call(4), compute(20)}};
  const Pass beside{{compute(20), tensor_call(4, 1), compute(20), compute(20)}};
  CHECK(count(slowed(chain, true)) == 2);   // two pieces; the forward pass has no call
  CHECK(count(slowed(chain, false)) == 3);  // kernels; the tensor-parallel call takes its time whatever is beside it
  CHECK(count(slowed(beside, true)) == 1 + 2);
  CHECK_FALSE(engine::one_pass_applies(slowed(chain, true)));
  // Forward 20, then 20; of the reduction's 30 ps 20 are done of the next kernel, which so ends with it; then 4 + 20.
  for (const bool fuse : {true, false})
    CHECK(engine::play_events(slowed(chain, fuse)).makespan == Time{20 + 20 + 30 + 4 + 20});
  CHECK(engine::play_events(slowed(beside, true)).makespan == Time{20 + 20 + 30 + 20});
}

TEST_CASE("the first operation waits for the step to be prepared, the first backward pass for its validation") {
  OneStage stage(2);
  StepStart start;
  start.ready = {stage.add("prepare", 7)};
  start.validated = {stage.add("validate", 100, Lane::data)};
  const Played played = play(stage, start);
  CHECK(played.of.at("pass") == Spans{{7, 27}, {100, 140}, {140, 160}, {160, 200}});
}

TEST_CASE("messages fly side by side, or one at a time between two ranks") {
  // GPipe on two ranks, F = 1, B = 2, a message takes 10. Side by side they arrive at 11, 12, 13: F 11-14, B 14-20;
  // gradients at 26, 28, 30: B 26-32. One at a time: 11, 21, 31, F 31-32, B 32-38; gradients at 44, 54, 64, B 64-66.
  auto made = schedule::make_schedule({.name = "gpipe", .ranks = 2, .micro_batches = 3, .times = {}});
  const auto makespan = [&](MessageMode mode) {
    const OperationTimes times{{{1}, {1}}, {{1}, {1}}, {{1}, {1}}, {}, {10}, mode};
    auto program = lower_schedule(*made, times, Release::weight_gradient);
    REQUIRE(program.ok());
    return engine::evaluate_one_pass(*program).makespan;
  };
  CHECK(makespan(MessageMode::asynchronous) == Time{32});
  CHECK(makespan(MessageMode::serialised) == Time{66});
}

TEST_CASE("an order in which nobody can go on is refused, and the ranks are named") {
  auto made = schedule::make_schedule({.name = "1f1b", .ranks = 2, .micro_batches = 2, .times = {}});
  // Rank 0 wants the gradient of micro-batch 0 before it sends micro-batch 1, which rank 1 wants first.
  std::swap(made->order[0][1], made->order[0][2]);
  std::swap(made->order[1][1], made->order[1][2]);
  const OperationTimes times{{{1}, {1}}, {{1}, {1}}, {{1}, {1}}, {}, {1}, MessageMode::asynchronous};
  const auto program = lower_schedule(*made, times, Release::weight_gradient);
  REQUIRE_FALSE(program.ok());
  const std::string text = render(program.errors());
  CHECK(text.find("deadlock:") != std::string::npos);
  CHECK(text.find("rank 0 cannot start") != std::string::npos);
  CHECK(text.find("rank 1 cannot start") != std::string::npos);
}

TEST_CASE("a graph of other stages than the schedule's is an error of ours") {
  OneStage stage(1);
  const layout::StageGraph two = layout::stage_chain(2);
  stage.input.stages = &two;
  CHECK_THROWS_AS(PipelineLowering(stage.input, stage.builder), InternalError);
}

TEST_CASE("steps of training follow each other on each rank") {
  auto made = schedule::make_schedule({.name = "1f1b", .ranks = 2, .micro_batches = 2, .times = {}});
  // F = 1, B = 2, p = m = 2: (m + p − 1) · 3 = 9; rank 1 ends at 7 and may begin the next step, whose first message
  // comes at 10: the steps are 9 apart.
  const OperationTimes times{{{1}, {1}}, {{1}, {1}}, {{1}, {1}}, {}, {}, MessageMode::asynchronous};
  const auto program = lower_schedule(*made, times, Release::weight_gradient, 3);
  REQUIRE(program.ok());
  CHECK(program->steps == 3);
  const engine::Timeline timeline = engine::evaluate_one_pass(*program);
  CHECK(timeline.makespan == Time{27});
  CHECK(timeline.step_time == Time{9});
}

}  // namespace orrery::program::pipeline_test
