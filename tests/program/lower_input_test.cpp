// A whole step from a hand-made input, its figures counted by hand: time, memory, FLOPs, devices.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "by_hand.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/engine/engine.hpp"
#include "orrery/program/footprint.hpp"
#include "parts.hpp"

namespace orrery::program::lower_input_test {

using program::test::ByHand;

namespace {

ByHand small(int tensor, int pipeline, int micro_batches, int data = 1) {
  ByHand step("1f1b", tensor, pipeline, 1, micro_batches);
  step.model.layers = 2 * pipeline;
  step.layout.data = data;
  step.put_on((step.layout.ranks() + 1) / 2);
  return step;
}

LoweredStep lowered(const ByHand& step) {
  auto result = lower_step(step.input(), step.options);
  REQUIRE_MESSAGE(result.ok(), render(result.errors()));
  return std::move(result).value();
}
Time duration_of(const Program& program, std::string_view name) {
  Time most{};
  for (const TaskTemplate& t : program.templates)
    if (t.name == name) most = std::max(most, t.duration);
  return most;
}
std::int64_t held(const Device& device, MemoryClass of) {
  return device.resident[static_cast<std::size_t>(of)];
}

constexpr std::int64_t h = 256, kVocab = 1024, kLayer = program::test::layer_parameters(h), kTokens = 64;

}  // namespace

TEST_CASE("one rank: its passes one after the other, and the optimizer") {
  const LoweredStep step = lowered(small(1, 1, 3));
  REQUIRE(step.stages.size() == 1);
  const StageSummary& stage = step.stages[0];
  CHECK(engine::evaluate_one_pass(step.program).makespan ==
        (stage.forward + stage.backward) * 3 + duration_of(step.program, "optimizer"));
  CHECK(stage.input_gradient + stage.weight_gradient == stage.backward);
  CHECK((stage.span.embedding && stage.span.head && stage.span.layers == 2));
  CHECK(step.program.steps == 1);
  CHECK(step.ranks == 1);
  CHECK(step.flops_book.empty());
}

TEST_CASE("two stages, one micro-batch: each in turn, a message each way, the norm, the slower optimizer") {
  ByHand hand = small(1, 2, 1);
  hand.model.tied_embeddings = false;
  const LoweredStep step = lowered(hand);
  const StageSummary &first = step.stages[0], &last = step.stages[1];
  const Time message = duration_of(step.program, "send activation");
  CHECK(message > Time{});
  CHECK(duration_of(step.program, "send gradient") == message);
  CHECK(engine::evaluate_one_pass(step.program).makespan ==
        first.forward + message + last.forward + last.backward + message + first.backward +
            duration_of(step.program, "gradient norm") + duration_of(step.program, "optimizer"));
  CHECK((first.span.embedding && !first.span.head));
  CHECK((!last.span.embedding && last.span.head && last.span.first_layer == 2));
}

TEST_CASE("1F1B on two stages: the longer one works without a pause between its first and last pass") {
  // The last stage has the head: it is the longer one, and never waits once it has begun.
  ByHand hand = small(1, 2, 6);
  hand.model.tied_embeddings = false, hand.model.vocab = 65536;
  const LoweredStep step = lowered(hand);
  const StageSummary &first = step.stages[0], &last = step.stages[1];
  REQUIRE(last.forward > first.forward);
  const Time message = duration_of(step.program, "send activation");
  REQUIRE(last.forward + last.backward > first.forward + first.backward + message * 2);
  CHECK(engine::evaluate_one_pass(step.program).makespan ==
        first.forward + message + (last.forward + last.backward) * 6 + message + first.backward +
            duration_of(step.program, "gradient norm") + duration_of(step.program, "optimizer"));
}

TEST_CASE("what the host does before a step puts all of it off, once a step") {
  ByHand hand = small(1, 2, 2);
  const Time without = engine::evaluate_one_pass(lowered(hand).program).makespan;
  hand.stack.launch.per_step = {5'000'000};
  CHECK(engine::evaluate_one_pass(lowered(hand).program).makespan == without + hand.stack.launch.per_step);
  hand.options.steps = 2;  // the host reads the loss of a step before it prepares the next
  const engine::Timeline two = engine::evaluate_one_pass(lowered(hand).program);
  CHECK(two.step_time == without + hand.stack.launch.per_step);
  CHECK(two.makespan == two.step_time * 2);
}

TEST_CASE("placeholders of gradients are buffers: one for each shape of a weight, whatever the number of layers") {
  ByHand hand = small(1, 2, 2);
  for (const Device& device : lowered(hand).program.devices) CHECK(held(device, MemoryClass::buffers) == 0);
  const std::int64_t optimizer = held(lowered(hand).program.devices[0], MemoryClass::optimizer);
  hand.pass.kernels.gradient_placeholders = true;
  for (const Device& device : lowered(hand).program.devices)  // qkv, projection and the two of the MLP, 2 bytes each
    CHECK(held(device, MemoryClass::buffers) == 2 * (3 + 1 + 4 + 4) * h * h);
  CHECK(held(lowered(hand).program.devices[0], MemoryClass::optimizer) == optimizer);
}

TEST_CASE("the buffer that the head gathers into is held by its stage for the whole run") {
  ByHand hand = small(2, 2, 2);
  hand.layout.sequence_parallel = true;
  for (const Device& device : lowered(hand).program.devices) CHECK(held(device, MemoryClass::buffers) == 0);
  hand.pass.kernels.gather_buffer = true;
  const Program with = lowered(hand).program;
  CHECK(held(with.devices.front(), MemoryClass::buffers) == 0);
  CHECK(held(with.devices.back(), MemoryClass::buffers) == 2 * h * hand.pass.sequence_length * hand.pass.micro_batch);
}

TEST_CASE("states of each stage: weights, gradients and the optimizer's, whole or in shards") {
  ByHand hand = small(1, 2, 2, 2);
  const auto devices = [&](layout::Zero zero) {
    hand.layout.zero = zero;
    return lowered(hand).program.devices;
  };
  // Stage 0: two layers and the tables; stage 1: two layers, the final norm and its copy of the token table.
  const std::int64_t first = 2 * kLayer + (kVocab + 2048) * h, last = 2 * kLayer + 2 * h + kVocab * h;
  for (const auto& [rank, parameters] : {std::pair{0, first}, {1, last}}) {
    const auto at = static_cast<std::size_t>(rank);
    const Device none = devices(layout::Zero::none)[at], one = devices(layout::Zero::optimizer)[at],
                 three = devices(layout::Zero::parameters)[at];
    CHECK(held(none, MemoryClass::weights) == 2 * parameters);
    CHECK(held(none, MemoryClass::gradients) == 4 * parameters);
    CHECK(held(none, MemoryClass::optimizer) == 12 * parameters);
    CHECK(held(one, MemoryClass::gradients) == 4 * parameters);
    CHECK(held(one, MemoryClass::optimizer) == 12 * parameters / 2);
    CHECK(held(three, MemoryClass::weights) == 2 * parameters / 2);
    CHECK(held(three, MemoryClass::gradients) == 4 * parameters / 2);
    CHECK(held(none, MemoryClass::activations) == 0);
  }
  hand.state = {.weight_bytes = 4, .gradient_bytes = 2, .optimizer_bytes = 8, .gathered_bytes = 2};
  const Device other = devices(layout::Zero::none)[0];
  CHECK(held(other, MemoryClass::weights) == 4 * first);
  CHECK(held(other, MemoryClass::gradients) == 2 * first);
  CHECK(held(other, MemoryClass::optimizer) == 8 * first);
}

TEST_CASE("1F1B: a stage holds the activations of as many micro-batches as are before it in the pipeline") {
  ByHand hand = small(1, 2, 6);
  const LoweredStep step = lowered(hand);
  test::Parts parts(hand);
  const engine::Timeline timeline = engine::evaluate_one_pass(step.program);
  const auto memory = engine::memory_of(step.program, timeline);
  for (const std::size_t d : {0U, 1U}) {
    const auto rank = static_cast<int>(d);
    const std::int64_t saved = parts.stages.stage(rank).saved_activations().value;
    const std::int64_t at_peak = memory[d].at_peak[static_cast<std::size_t>(MemoryClass::activations)];
    // Two of the first stage, one of the last. The peak of the first may stand where buffers are most, in a backward
    // pass that has freed nearly all of the one.
    CHECK(at_peak <= saved * (2 - rank));
    CHECK(at_peak >= saved * (1 - rank));
    CHECK(at_peak > 0);
  }
}

TEST_CASE("FLOPs of a model: six a token and weight of a matrix, and attention in full") {
  for (const int pipeline : {1, 2}) {
    ByHand hand = small(1, pipeline, 4);
    hand.model.layers = 2;
    const LoweredStep step = lowered(hand);
    // Matrices of a layer: 3 h² + h² + 4 h² + 4 h²; the head h · vocabulary. Scores and values: 2 · 2 · s² · h forward,
    // twice that backward.
    CHECK((step.flops.model.linear == Int128{6} * 4 * kTokens * (2 * 12 * h * h + h * kVocab)));
    CHECK((step.flops.model.attention == Int128{12} * 4 * kTokens * kTokens * h * 2));
    CHECK((step.flops.executed.total() == step.flops.model.total()));
    CHECK((step.flops.again.total() == 0));
  }
  ByHand again = small(1, 1, 4);
  again.pass.recompute = layout::Recompute::full;
  const LoweredStep step = lowered(again);
  // One forward pass of the layers more; the head runs once.
  CHECK((step.flops.again.linear == Int128{2} * 4 * kTokens * 2 * 12 * h * h));
  CHECK((step.flops.executed.total() == step.flops.model.total() + step.flops.again.total()));
}

TEST_CASE("ranks that are alike are one device, and stand for all") {
  ByHand hand = small(2, 2, 2, 2);
  const LoweredStep folded = lowered(hand);
  CHECK(folded.ranks == 8);
  REQUIRE(folded.program.devices.size() == 2);
  CHECK(folded.program.devices[0].ranks == std::vector<std::int32_t>{0, 1, 2, 3});
  CHECK(folded.program.devices[1].ranks == std::vector<std::int32_t>{4, 5, 6, 7});
  CHECK(folded.program.devices[1].pipeline_rank() == 1);
  CHECK(folded.splits.empty());
  CHECK(folded.program.ranks() == 8);
  hand.options.fold = false;
  const LoweredStep all = lowered(hand);
  CHECK(all.program.devices.size() == 8);
  CHECK(all.fold_class == folded.fold_class);  // what is alike is alike, played once or not
  // One GPU at half the speed: its rank, who shares its tensor group, and their stage and replica are told apart.
  hand.options.fold = true;
  hand.speed.assign(8, 1.0);
  hand.speed[0] = 0.5;
  const LoweredStep slow = lowered(hand);
  CHECK(slow.program.devices.size() > 2);
  CHECK(slow.program.devices[0].ranks == std::vector<std::int32_t>{0});
  CHECK(slow.splits == std::vector<std::string>{"GPUs of different speed"});
  // Under flows each rank is played.
  hand.speed.clear();
  hand.mode = NetworkMode::flows;
  CHECK(lowered(hand).program.devices.size() == 8);
}

TEST_CASE("folding and fusing change nothing of the result") {
  ByHand hand = small(2, 2, 4, 2);
  hand.layout.zero = layout::Zero::optimizer;
  hand.stack.communication.overlap_data = hand.stack.communication.overlap_tensor = true;
  hand.stack.launch.per_kernel = hand.stack.launch.per_kernel_backward = {2'000'000};
  hand.layout.sequence_parallel = true;
  const Time expected = engine::evaluate_one_pass(lowered(hand).program).makespan;
  for (const auto& [fold, fuse] : {std::pair{false, true}, {true, false}, {false, false}}) {
    hand.options.fold = fold, hand.options.fuse = fuse;
    CHECK(engine::evaluate_one_pass(lowered(hand).program).makespan == expected);
  }
}

TEST_CASE("who admits a step is asked before it is made, and may refuse it") {
  ByHand hand = small(1, 2, 4);
  Footprint asked;
  hand.options.admit = [&](const Footprint& footprint) {
    asked = footprint;
    return Diagnostics{{{}, "layout", "too much", {}, {}}};
  };
  const auto refused = lower_step(hand.input(), hand.options);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.errors().front().message == "too much");
  hand.options.admit = {};
  const double tasks = static_cast<double>(lowered(hand).program.tasks());
  CHECK(asked.tasks > tasks / 2);
  CHECK(asked.tasks < tasks * 2);
  CHECK(asked.bytes > 1e6);
}

TEST_CASE("a step is no longer and holds no more than its examination says") {
  for (const int pipeline : {1, 2}) {
    ByHand hand = small(1, pipeline, 4);
    Costs costs;
    const auto bounds = examine_step(hand.input(), hand.options, costs);
    REQUIRE(bounds.ok());
    const LoweredStep step = lowered(hand);
    const engine::Timeline timeline = engine::evaluate_one_pass(step.program);
    Time passes{};
    for (const StageSummary& s : step.stages) passes += (s.forward + s.backward) * 4;
    CHECK(bounds->longest == static_cast<double>(passes.value));
    for (const auto& memory : engine::memory_of(step.program, timeline))
      CHECK(static_cast<double>(memory.peak) <= bounds->most_bytes);
  }
}

TEST_CASE("stages of a layout: where the embedding and the head are, and what a partition gives each") {
  ByHand hand = small(1, 2, 2);
  hand.layout.partition = layout::Partition::explicit_layers, hand.layout.layers_per_stage = {3, 1};
  const LoweredStep step = lowered(hand);
  CHECK(step.stages[0].span.layers == 3);
  CHECK(step.stages[1].span.layers == 1);
  CHECK(step.stages[0].parameters == 3 * kLayer + (kVocab + 2048) * h);
  CHECK(step.stages[1].parameters == kLayer + 2 * h + kVocab * h);
}

TEST_CASE("which steps cross into the next: post-validation of pipelines, always or of split backward passes") {
  cost::StackOptimizer optimizer;
  layout::Layout pipeline, flat;
  pipeline.pipeline = 2;
  const auto crosses = [&](cost::PostValidation when, bool split) {
    optimizer.post_validation = when;
    CHECK_FALSE(post_validates(optimizer, flat, split));
    return post_validates(optimizer, pipeline, split);
  };
  CHECK_FALSE(crosses(cost::PostValidation::never, true));
  CHECK_FALSE(crosses(cost::PostValidation::split_backward, false));
  CHECK(crosses(cost::PostValidation::split_backward, true));
  CHECK(crosses(cost::PostValidation::always, false));
}

TEST_CASE("teams of all ranks: devices of one stage that share micro-batches, and their groups") {
  layout::Layout layout;
  layout.tensor = 4, layout.context = 2, layout.data = 3, layout.pipeline = 5;
  const TeamShape all = teams_of_all_ranks(layout);
  CHECK(all.members == 8);  // tensor · context
  CHECK(all.teams == 3);    // replicas
  CHECK(all.groups[layout::Dimension::tensor] == 2);
  CHECK(all.groups[layout::Dimension::context] == 4);
  CHECK(all.alike == 1);
  CHECK(folded_teams().members == 1);
}

}  // namespace orrery::program::lower_input_test
