// Copies between GPUs and their hosts beside the passes: two GPUs, four layers, all times and both places by hand.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "orrery/engine/account.hpp"
#include "program/pipeline_lowering.hpp"

namespace orrery::program::moves_test {

namespace {

using schedule::OpKind;
constexpr std::int64_t kTensor = 100;  // bytes that each layer leaves for its backward pass
constexpr std::uint32_t kLayers = 4;

using Spans = std::vector<std::pair<std::int64_t, std::int64_t>>;

// One micro-batch through four layers on each of two GPUs: 10 ps forward and 20 back; gradients of a layer are summed
// in 6 and go to the host in 12; what a layer leaves goes out and comes back in `copy`.
struct TwoGpus {
  Builder builder;
  schedule::Schedule schedule;
  layout::StageGraph graph = layout::stage_chain(1);
  PipelineInput input;
  Pass forward, backward;
  std::vector<DataCall> with_forward, with_backward;
  std::vector<DeviceIndex> both;
  Program program;
  engine::Timeline timeline;

  explicit TwoGpus(std::int64_t copy, bool away = true) {
    schedule = schedule::make_schedule({.name = "1f1b", .ranks = 1, .micro_batches = 1, .times = {}}).value();
    for (std::int32_t d = 0; d < 2; ++d) {
      Device device;
      device.ranks = {d};
      both.push_back(builder.add_device(std::move(device)));
      input.teams.push_back({&schedule, {both.back()}, true, {}});
    }
    for (std::uint32_t i = 0; i < kLayers; ++i) {
      forward.steps.push_back(layer(10, false, static_cast<std::int32_t>(i)));
      backward.steps.push_back(layer(20, true, static_cast<std::int32_t>(kLayers - 1 - i)));
      if (away) with_forward.push_back(move(false, i + 1, copy, static_cast<std::int32_t>(i)));
    }
    for (std::uint32_t i = 0; i < kLayers; ++i) {
      if (away) with_backward.push_back(move(true, i, copy, static_cast<std::int32_t>(kLayers - 1 - i)));
      with_backward.push_back(reduction(i + 1));
      if (away) with_backward.push_back(gradients(i + 1));
    }
    std::ranges::stable_sort(with_backward, {}, &DataCall::position);
    input.stages = &graph;
    input.pass = [this](DeviceIndex, OpKind kind, int, int, bool) -> const Pass& {
      return kind == OpKind::forward ? forward : backward;
    };
    input.data_calls = [this](DeviceIndex, const schedule::Operation& op, bool, bool, bool) {
      return op.kind == OpKind::forward ? with_forward : with_backward;
    };
    input.data_group = [this](DeviceIndex, const DataCall&) -> const std::vector<DeviceIndex>& { return both; };
    input.peer = [](DeviceIndex d, int, int) { return d; };
    const PipelineEnds ends = PipelineLowering(input, builder).run({});
    CHECK(ends.reductions.at(0).size() == kLayers);
    CHECK(ends.sent.at(1).size() == (away ? kLayers : 0));
    auto made = builder.finish();
    REQUIRE_MESSAGE(made.ok(), render(made.errors()));
    program = std::move(made).value();
    timeline = engine::evaluate_one_pass(program);
  }
  TwoGpus(const TwoGpus&) = delete;
  TwoGpus& operator=(const TwoGpus&) = delete;

  static TimedStep layer(std::int64_t ps, bool back, std::int32_t tensor) {
    TimedStep step;
    step.duration = {ps}, step.name = back ? "backward" : "forward", step.backward = back;
    step.memory = {{back, MemoryClass::activations, {back ? -kTensor : kTensor}, tensor}};
    if (!back) step.memory.push_back({true, MemoryClass::activations, {}, tensor});  // used to the end
    return step;
  }
  DataCall move(bool in, std::uint32_t position, std::int64_t ps, std::int32_t tensor) {
    const MemoryEffect effect{kNone, !in, MemoryClass::activations, {}, in ? kTensor : -kTensor, tensor};
    TaskTemplate t;
    t.duration = {ps}, t.category = Category::offload_comm, t.name = in ? "in" : "out";
    t.lane = t.partner_lane = in ? Lane::from_host : Lane::to_host;
    t.effects = builder.add_effects({&effect, 1});
    DataCall call{in, position, in ? Activity::fetch : Activity::offload, builder.add_template(t), 1};
    call.move = DataCall::Move::activations, call.stage = 0, call.micro_batch = 0;
    return call;
  }
  DataCall reduction(std::uint32_t position) {
    TaskTemplate t;
    t.duration = {6}, t.category = Category::data_comm, t.lane = t.partner_lane = Lane::data, t.name = "reduce";
    return {false, position, Activity::gradient_reduce, builder.add_template(t)};
  }
  DataCall gradients(std::uint32_t position) {
    TaskTemplate t;
    t.duration = {12}, t.category = Category::offload_comm, t.lane = t.partner_lane = Lane::to_host, t.name = "sent";
    DataCall call{false, position, Activity::offload, builder.add_template(t)};
    call.move = DataCall::Move::gradients;
    return call;
  }
  Spans of(const std::string& name, DeviceIndex device = 0) const {
    Spans spans;
    for (TaskId t = 0; t < program.tasks(); ++t)
      for (std::uint32_t p = program.participant_begin[t]; p < program.participant_begin[t + 1]; ++p)
        if (name == program.template_of(t).name && program.participants[p].device == device)
          spans.emplace_back(timeline.start[t], timeline.end[t]);
    std::sort(spans.begin(), spans.end());
    return spans;
  }
  std::vector<std::string> books() const {
    return engine::audit(program, timeline, engine::split_time(program, timeline),
                         engine::memory_of(program, timeline));
  }
};

}  // namespace

// Forward [0, 10) … [30, 40). A layer's tensor leaves behind it; the last has left at 48, and comes back first: it is
// asked for a layer ahead, when nothing of the backward pass has run. The second comes behind it, 56 to 64; each of the
// others when the layer before its own begins. Backward: [56, 76), then 20 each: 136. The last gradients are summed at
// 142 and on the host at 154.
TEST_CASE("activations leave behind their layer and come back a layer ahead; gradients leave once they are summed") {
  const TwoGpus two(8);
  for (const DeviceIndex d : {0u, 1u}) {
    CHECK(two.of("pass", d) == Spans{{0, 10}, {10, 20}, {20, 30}, {30, 40}, {56, 76}, {76, 96}, {96, 116}, {116, 136}});
    CHECK(two.of("out", d) == Spans{{10, 18}, {20, 28}, {30, 38}, {40, 48}});
    CHECK(two.of("in", d) == Spans{{48, 56}, {56, 64}, {76, 84}, {96, 104}});
    CHECK(two.of("reduce", d) == Spans{{76, 82}, {96, 102}, {116, 122}, {136, 142}});
    CHECK(two.of("sent", d) == Spans{{82, 94}, {102, 114}, {122, 134}, {142, 154}});
  }
  CHECK(two.timeline.makespan == Time{154});
  CHECK(two.books().empty());
}

// Two layers at a time instead of four: one that runs, or waits to, and one on its way.
TEST_CASE("the peak of the GPU falls by what is on the host, and the host holds it all") {
  const TwoGpus two(8), kept(8, false);
  CHECK(engine::memory_of(two.program, two.timeline)[0].peak == 2 * kTensor);
  CHECK(engine::memory_of(two.program, two.timeline)[0].peak_time == Time{10});
  CHECK(engine::memory_of(kept.program, kept.timeline)[0].peak == kLayers * kTensor);
  const auto host = engine::host_memory_of(two.program, two.timeline);
  CHECK(host.at(1).peak == kLayers * kTensor);  // from 40, when the last begins to leave, to 56, when it is back
  CHECK(host.at(1).at_peak[static_cast<std::size_t>(MemoryClass::activations)] == kLayers * kTensor);
  CHECK(host.at(1).left == 0);
  CHECK(engine::host_memory_of(kept.program, kept.timeline).at(0).peak == 0);
  CHECK(kept.timeline.makespan == Time{40 + 80 + 6});
}

// Out: [10, 35), [35, 60), [60, 85), [85, 110). The third layer waits for the first copy, the fourth for the second.
TEST_CASE("no more than two layers stand on their way out") {
  const TwoGpus two(25);
  CHECK(two.of("out") == Spans{{10, 35}, {35, 60}, {60, 85}, {85, 110}});
  const Spans passes = two.of("pass");
  CHECK(Spans(passes.begin(), passes.begin() + 4) == Spans{{0, 10}, {10, 20}, {35, 45}, {60, 70}});
  CHECK(two.of("in").front() == std::pair<std::int64_t, std::int64_t>{110, 135});
  CHECK(two.books().empty());
}

// The split: the GPU stands still from 40 to 56 for the copies alone; behind its last layer for the sum, then for the
// copy of the gradients.
TEST_CASE("what a GPU waits for is the copy") {
  const TwoGpus two(8);
  const engine::Breakdown split = engine::split_time(two.program, two.timeline)[0];
  CHECK(split[static_cast<std::size_t>(Category::compute)] == 120);
  CHECK(split[static_cast<std::size_t>(Category::offload_comm)] == 16 + 12);
  CHECK(split[static_cast<std::size_t>(Category::data_comm)] == 6);
}

TEST_CASE("the books find a tensor that comes back before it has left, and one that never does") {
  TwoGpus early(8), lost(8);
  const auto task = [](const TwoGpus& two, const char* name) {
    TaskId t = 0;
    while (two.program.template_of(t).name != std::string(name)) ++t;
    return t;
  };
  early.timeline.start[task(early, "in")] = 41;
  CHECK(!early.books().empty());
  const TaskTemplate& in = lost.program.template_of(task(lost, "in"));
  lost.program.effects[in.effects.first].bytes = 0;
  CHECK(!lost.books().empty());
  CHECK(engine::host_memory_of(lost.program, lost.timeline)[0].left == kTensor);
}

}  // namespace orrery::program::moves_test
