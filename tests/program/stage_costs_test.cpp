// Passes of a stage with their costs: what the host takes of them, what the messages add, what a rank's speed and
// process groups change.
#include "program/stage_costs.hpp"

#include <doctest/doctest.h>

#include <string_view>

#include "parts.hpp"

namespace orrery::program::stage_costs_test {

using layout::PassKind;
using program::test::ByHand;
using program::test::Parts;

namespace {

// Two layers on `pipeline` stages, `tensor` ranks a node.
ByHand small(int tensor, int pipeline, std::int64_t layers = 2) {
  ByHand step("1f1b", tensor, pipeline, 1, 2);
  step.model.layers = layers;
  return step;
}

Time launches(const Pass& pass) {
  Time sum{};
  for (const TimedStep& s : pass.steps) sum += s.launch;
  return sum;
}
int kernels(Parts& parts, int stage, PassKind kind) {
  int count = 0;
  for (const layout::PassStep& s : parts.stages.steps(stage, kind)) count += s.is_communication ? 0 : s.kernels;
  return count;
}
int calls(Parts& parts, int stage, PassKind kind) {
  int count = 0;
  for (const layout::PassStep& s : parts.stages.steps(stage, kind)) count += s.is_communication ? 1 : 0;
  return count;
}

// Bytes that the steps of a pass put into buffers and take out of them.
std::int64_t buffers(const TimedStep& step, bool at_end) {
  std::int64_t sum = 0;
  for (const MemoryChange& m : step.memory)
    if (m.memory_class == MemoryClass::buffers && m.at_end == at_end) sum += m.bytes.value;
  return sum;
}

constexpr Time kMicro{1'000'000};
constexpr std::int64_t kMessage = 256 * 64 * 2;  // hidden · sequence in 16 bits

}  // namespace

TEST_CASE("a slower kernel takes its time over the speed, no picosecond less") {
  CHECK(at_speed({1000}, 1.0) == Time{1000});
  CHECK(at_speed({1000}, 0.5) == Time{2000});
  CHECK(at_speed({1000}, 0.3) == Time{3334});
  CHECK(at_speed({900}, 0.9) == Time{1000});
  CHECK(at_speed({}, 0.5) == Time{});
  CHECK_THROWS_AS(at_speed({INT64_MAX / 2}, 0.25), OverflowError);
}

TEST_CASE("ranges of steps of one layer, in the order of the pass") {
  std::vector<layout::PassStep> steps(6);
  const std::int64_t layers[6] = {-1, 0, 0, 1, 1, 2};
  for (std::size_t i = 0; i < 6; ++i) steps[i].layer = layers[i];
  const auto ranges = layer_ranges(steps);
  REQUIRE(ranges.size() == 4);
  CHECK((ranges[1].layer == 0 && ranges[1].begin == 1 && ranges[1].end == 3));
  CHECK((ranges[3].layer == 2 && ranges[3].begin == 5 && ranges[3].end == 6));
  CHECK(layer_ranges({}).empty());
}

TEST_CASE("a rank holds the stages of its place, of every copy of the model") {
  ByHand step("interleaved_1f1b", 1, 2, 2, 4);
  step.model.layers = 4;
  Parts looped(step);
  CHECK(looped.stages.on_rank(0) == std::vector{0, 2});
  CHECK(looped.stages.on_rank(1) == std::vector{1, 3});
  const std::int64_t layer = program::test::layer_parameters(256), tables = (1024 + 2048) * 256;
  CHECK(looped.stages.parameters_of_rank(0, layout::Parameters::dense) == 2 * layer + tables);
  CHECK(looped.stages.parameters_of_rank(1, layout::Parameters::dense) ==
        2 * layer + 2 * 256 + 1024 * 256);  // final norm, its copy of the table
  // Two copies, one each way: each rank has a stage of both.
  ByHand both("chimera", 1, 2, 1, 4);
  both.model.layers = 2;
  Parts copies(both);
  CHECK(copies.stages.on_rank(0) == std::vector{0, 1});
  CHECK(copies.stages.on_rank(1) == std::vector{1, 0});
}

TEST_CASE("the host launches each kernel and call, the backward pass at a price of its own") {
  ByHand step = small(2, 1);
  step.stack.launch.per_kernel = kMicro * 3, step.stack.launch.per_kernel_backward = kMicro * 5;
  step.stack.launch.per_collective = kMicro * 100, step.stack.launch.per_collective_rank = kMicro * 1000;
  step.stack.launch.per_micro_batch = kMicro * 1'000'000;
  Parts parts(step);
  const auto expected = [&](PassKind kind, std::int64_t kernel) {
    const std::int64_t k = kernels(parts, 0, kind), c = calls(parts, 0, kind);
    REQUIRE(c > 0);
    return kernel * k + (kernel + 100 + 2 * 1000) * c;  // two ranks a group
  };
  CHECK(launches(parts.stages.pass(0, 0, PassKind::forward, 0)) ==
        kMicro * (expected(PassKind::forward, 3) + 1'000'000));
  CHECK(launches(parts.stages.pass(0, 0, PassKind::backward, 0)) == kMicro * expected(PassKind::backward, 5));
  for (const TimedStep& s : parts.stages.pass(0, 0, PassKind::backward, 0).steps) CHECK(s.before == Time{});
}

TEST_CASE("what runs again in the backward pass is launched as in the forward pass") {
  ByHand step = small(1, 1);
  step.stack.launch.per_kernel = kMicro * 3, step.stack.launch.per_kernel_backward = kMicro * 5;
  step.pass.recompute = layout::Recompute::full;
  Parts parts(step);
  std::int64_t again = 0, backward = 0;
  for (const layout::PassStep& s : parts.stages.steps(0, PassKind::backward))
    (s.role == layout::StepRole::recompute ? again : backward) += s.kernels;
  REQUIRE(again > 10);
  const Pass& pass = parts.stages.pass(0, 0, PassKind::backward, 0);
  CHECK(launches(pass) == kMicro * (3 * again + 5 * backward));
  for (std::size_t i = 0; i < pass.steps.size(); ++i)
    CHECK((pass.steps[i].category == Category::recompute) ==
          (parts.stages.steps(0, PassKind::backward)[i].role == layout::StepRole::recompute));
}

TEST_CASE("a host that waits for each kernel stands before it, and nothing runs beside another") {
  ByHand step = small(2, 1);
  step.stack.communication.overlap_tensor = true;
  step.stack.launch.per_kernel = kMicro * 3;
  step.layout.sequence_parallel = true;
  Parts ahead(step);
  bool beside = false;
  for (const TimedStep& s : ahead.stages.pass(0, 0, PassKind::backward, 0).steps) beside = beside || s.beside > 0;
  CHECK(beside);
  step.stack.launch.mode = cost::LaunchMode::blocking;
  Parts blocking(step);
  for (const PassKind kind : {PassKind::forward, PassKind::backward})
    for (const TimedStep& s : blocking.stages.pass(0, 0, kind, 0).steps) {
      CHECK(s.beside == 0);
      CHECK(s.launch == Time{});
      if (kind == PassKind::forward && s.lane == Lane::compute) CHECK(s.before.value % (3 * kMicro.value) == 0);
    }
}

TEST_CASE("calls run beside kernels only along the dimensions that the stack overlaps") {
  ByHand step = small(2, 1);
  step.layout.sequence_parallel = true;
  const auto beside = [&] {
    Parts parts(step);
    int count = 0;
    for (const TimedStep& s : parts.stages.pass(0, 0, PassKind::backward, 0).steps) count += s.beside > 0 ? 1 : 0;
    return count;
  };
  CHECK(beside() == 0);
  step.stack.communication.overlap_context = step.stack.communication.overlap_data = true;
  CHECK(beside() == 0);
  step.stack.communication.overlap_tensor = true;
  CHECK(beside() > 0);
}

TEST_CASE("kernels of a slow rank take longer, its calls do not; ranks that are alike share a pass") {
  ByHand step = small(2, 1);
  step.speed = {1, 0.5};
  Parts parts(step);
  const Pass &fast = parts.stages.pass(0, 0, PassKind::forward, 0),
             &slow = parts.stages.pass(1, 0, PassKind::forward, 0);
  CHECK(&fast != &slow);
  REQUIRE(fast.steps.size() == slow.steps.size());
  for (std::size_t i = 0; i < fast.steps.size(); ++i) {
    const TimedStep &f = fast.steps[i], &s = slow.steps[i];
    const std::int64_t launched = parts.stages.steps(0, PassKind::forward)[i].kernels;
    CHECK(s.duration == (f.lane == Lane::compute ? f.duration * 2 : f.duration));
    CHECK(f.duration.value % launched == 0);  // of a chain each kernel is rounded by itself
  }
  step.speed = {1, 1};
  Parts alike(step);
  CHECK(&alike.stages.pass(0, 0, PassKind::forward, 0) == &alike.stages.pass(1, 0, PassKind::forward, 0));
}

TEST_CASE("compute time is that of all that the pass waits for") {
  ByHand step = small(2, 1);
  Parts parts(step);
  Time sum{};
  for (const TimedStep& s : parts.stages.pass(0, 0, PassKind::backward, 0).steps) sum += s.duration;
  CHECK(parts.stages.compute_time(0, 0, PassKind::backward) == sum);
  step.layout.sequence_parallel = step.stack.communication.overlap_tensor = true;
  Parts beside(step);
  Time waited{}, all{};
  for (const TimedStep& s : beside.stages.pass(0, 0, PassKind::backward, 0).steps) {
    all += s.duration;
    if (s.beside == 0) waited += s.duration;
  }
  CHECK(beside.stages.compute_time(0, 0, PassKind::backward) == waited);
  CHECK(waited < all);
}

TEST_CASE("a stage takes over the buffer of each message that reaches it") {
  Parts parts(small(1, 2));
  CHECK(parts.stages.message_bytes(0) == Bytes{kMessage});
  const auto taken = [&](int rank, int stage, PassKind kind) {
    return -buffers(parts.stages.pass(rank, stage, kind, 0).steps.front(), false);
  };
  // The first step of a pass may make tensors of its own: what it has more than the same stage without a neighbour.
  Parts alone(small(1, 1));
  const std::int64_t own = -buffers(alone.stages.pass(0, 0, PassKind::forward, 0).steps.front(), false);
  CHECK(taken(0, 0, PassKind::forward) == own);  // nothing reaches the first stage
  std::int64_t second = 0, third = 0;
  for (const layout::MemoryChange& m : parts.stages.steps(1, PassKind::forward).front().memory)
    if (m.memory_class == MemoryClass::buffers && !m.at_end) second += m.bytes.value;
  for (const layout::MemoryChange& m : parts.stages.steps(0, PassKind::backward).front().memory)
    if (m.memory_class == MemoryClass::buffers && !m.at_end) third += m.bytes.value;
  CHECK(taken(1, 1, PassKind::forward) == kMessage - second);
  CHECK(taken(0, 0, PassKind::backward) == kMessage - third);
  // W came behind its I: no message reaches it.
  CHECK(parts.stages.pass(0, 0, PassKind::weight_gradient, 0).received == 0);
}

TEST_CASE("a scattered message is a share of it, and gathered before the stage begins") {
  ByHand step = small(2, 2);
  step.stack.communication.scatter_gather_messages = true;
  Parts parts(step);
  CHECK(parts.stages.message_bytes(0) == Bytes{kMessage / 2});
  const Pass& pass = parts.stages.pass(2, 1, PassKind::forward, 0);
  CHECK(pass.received == 1);
  CHECK(pass.steps.size() == parts.stages.steps(1, PassKind::forward).size() + 1);
  CHECK(std::string_view(pass.steps[0].name) == "gather message");
  CHECK(pass.steps[0].lane == Lane::tensor);
  CHECK(pass.steps[0].bytes_sent == Bytes{kMessage / 2});
  CHECK(buffers(pass.steps[0], false) == -kMessage / 2);
  CHECK(parts.stages.pass(0, 0, PassKind::forward, 0).received == 0);
  CHECK(parts.stages.pass(0, 0, PassKind::backward, 0).received == 1);
  // One rank to gather from: nothing is scattered.
  ByHand single = small(1, 2);
  single.stack.communication.scatter_gather_messages = true;
  Parts whole(single);
  CHECK(whole.stages.pass(1, 1, PassKind::forward, 0).received == 0);
}

// The step behind a reading is the first that goes by the counts of tokens, wherever gathers of messages put it.
TEST_CASE("what the host reads stays where it is read when messages are gathered first") {
  ByHand step = small(2, 2);
  step.model.experts.count = 2, step.model.experts.top_k = 1, step.model.experts.hidden = 64;
  step.stack.launch.mode = cost::LaunchMode::eager, step.stack.launch.per_kernel = {1'000'000};
  std::vector<std::uint32_t> whole, gathered;
  for (const bool scattered : {false, true}) {
    step.stack.communication.scatter_gather_messages = scattered;
    Parts parts(step);
    const Pass& pass = parts.stages.pass(2, 1, PassKind::forward, 0);
    CHECK(pass.received == (scattered ? 1 : 0));
    (scattered ? gathered : whole) = pass.host_reads;
    for (const std::uint32_t position : pass.host_reads) {
      const auto kind = parts.stages.steps(1, PassKind::forward)[position - pass.received].kind;
      CHECK((kind == model::OperatorKind::dispatch || kind == model::OperatorKind::expert_fc1));
    }
  }
  REQUIRE_FALSE(whole.empty());
  REQUIRE(gathered.size() == whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(gathered[i] == whole[i] + 1);
}

TEST_CASE("calls that the passes make, each kind and size once, with the messages between their stages") {
  Parts parts(small(2, 2));
  int messages = 0;
  const auto all = parts.stages.calls();
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j)
      CHECK_FALSE((all[i].among == all[j].among && all[i].kind == all[j].kind && all[i].bytes == all[j].bytes));
    if (all[i].kind != Collective::send_receive) continue;
    ++messages;
    CHECK(all[i].bytes == Bytes{kMessage});
  }
  CHECK(messages == 1);  // between two ranks the one after is the one before: both ways on pairs of one kind
}

TEST_CASE("where each layer is gathered, its buffers go with its last step") {
  ByHand step = small(1, 1);
  step.layout.data = 2, step.layout.zero = layout::Zero::parameters;
  step.put_on(1);
  Parts gathered(step);
  step.layout.zero = layout::Zero::none;
  Parts whole(step);
  const auto& with = gathered.stages.pass(0, 0, PassKind::forward, 0).steps;
  const auto& without = whole.stages.pass(0, 0, PassKind::forward, 0).steps;
  REQUIRE(with.size() == without.size());
  for (const LayerRange& range : layer_ranges(gathered.stages.steps(0, PassKind::forward)))
    for (std::uint32_t i = range.begin; i < range.end; ++i)
      CHECK(buffers(without[i], true) - buffers(with[i], true) ==
            (i + 1 == range.end ? 2 * gathered.stages.stage(0).parameters_of_layer(range.layer) : 0));
}

}  // namespace orrery::program::stage_costs_test
