// A whole step lowered from hand-made plans: what goes between stages, wherever they stand.
#include "orrery/program/lower.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>

#include "by_hand.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/engine/engine.hpp"

namespace orrery::program::lower_test {

using program::test::ByHand;

namespace {

LoweredStep lowered(const ByHand& step) {
  auto result = lower_step(step.input(), step.options);
  REQUIRE_MESSAGE(result.ok(), render(result.errors()));
  return std::move(result).value();
}

engine::Timeline played(const Program& program) {
  const engine::Timeline timeline = engine::evaluate_one_pass(program);
  CHECK(engine::audit(program, timeline, engine::split_time(program, timeline), engine::memory_of(program, timeline))
            .empty());
  return timeline;
}

// Bytes sent from one pipeline rank to another in messages, and how many there were.
using Sent = std::map<std::pair<int, int>, std::pair<std::int64_t, int>>;
Sent sent_by(const Program& program) {
  Sent sent;
  for (TaskId task = 0; task < program.tasks(); ++task) {
    const TaskTemplate& of = program.template_of(task);
    if (of.lane != Lane::pipeline_send) continue;
    const Participant* ends = &program.participant(task);
    auto& [bytes, count] =
        sent[{program.devices[ends[0].device].pipeline_rank(), program.devices[ends[1].device].pipeline_rank()}];
    bytes += of.bytes_sent.value, ++count;
  }
  return sent;
}

// One message: hidden 256 · sequence 64 in 16 bits.
constexpr std::int64_t kMessage = 256 * 64 * 2;

}  // namespace

TEST_CASE("a stage on any rank sends its output to the rank of the next") {
  ByHand step("1f1b", 1, 4, 1, 6);
  step.move({2, 0, 3, 1});
  const LoweredStep there = lowered(step);
  const std::pair<std::int64_t, int> six{6 * kMessage, 6};
  CHECK(sent_by(there.program) ==
        Sent{{{2, 0}, six}, {{0, 3}, six}, {{3, 1}, six}, {{1, 3}, six}, {{3, 0}, six}, {{0, 2}, six}});
  const LoweredStep here = lowered(ByHand("1f1b", 1, 4, 1, 6));
  CHECK((here.flops.model.total() == there.flops.model.total()));
  for (std::size_t s = 0; s < 4; ++s) CHECK(here.stages[s].forward == there.stages[s].forward);
}

TEST_CASE("over equal links the step takes as long with the ranks in any order") {
  for (const MessageMode messages : {MessageMode::asynchronous, MessageMode::serialised, MessageMode::rendezvous})
    for (const NetworkMode mode : {NetworkMode::ideal, NetworkMode::steady})
      for (const char* name : {"1f1b", "interleaved_1f1b"}) {
        ByHand step(name, 2, 4, std::string(name) == "1f1b" ? 1 : 2, 8);  // a tensor pair fills a node
        step.stack.communication.messages = messages, step.mode = mode;
        const std::int64_t in_row = played(lowered(step).program).makespan.value;
        for (const std::vector<int>& to : {std::vector{1, 0, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 2, 3, 0}}) {
          CAPTURE(
              fmt::format("{} {} {} {}", name, static_cast<int>(messages), static_cast<int>(mode), fmt::join(to, " ")));
          ByHand moved(name, 2, 4, step.layout.virtual_stages, 8);
          moved.stack.communication.messages = messages, moved.mode = mode;
          moved.move(to);
          CHECK(played(lowered(moved).program).makespan.value == in_row);
          moved.options.fold = moved.options.fuse = false;
          CHECK(played(lowered(moved).program).makespan.value == in_row);
        }
      }
}

TEST_CASE("messages take the links they use") {
  // One rank a GPU, two a node: in a row 0 → 1 and 2 → 3 stay inside, ranks 0, 2, 1, 3 always cross.
  ByHand step("1f1b", 1, 4, 1, 6);
  const auto durations = [&] {
    const LoweredStep step_there = lowered(step);
    std::map<std::pair<int, int>, std::int64_t> result;
    for (TaskId task = 0; task < step_there.program.tasks(); ++task) {
      const TaskTemplate& of = step_there.program.template_of(task);
      const Participant* ends = &step_there.program.participant(task);
      if (of.lane == Lane::pipeline_send)
        result[{step_there.program.devices[ends[0].device].pipeline_rank(),
                step_there.program.devices[ends[1].device].pipeline_rank()}] = of.duration.value;
    }
    return result;
  };
  const auto row = durations();
  step.move({0, 2, 1, 3});
  const auto crossing = durations();
  CHECK(row.at({0, 1}) == row.at({2, 3}));
  CHECK(row.at({1, 2}) > row.at({0, 1}));
  // Between GPUs of one place in their nodes a message stays on its rail; 2 → 1 changes rails as 1 → 2 does.
  CHECK(crossing.at({0, 2}) > row.at({0, 1}));
  CHECK(crossing.at({0, 2}) == crossing.at({1, 3}));
  CHECK(crossing.at({0, 2}) < crossing.at({2, 1}));
  CHECK(crossing.at({2, 1}) == row.at({1, 2}));
}

TEST_CASE("a connection that skips a stage is sent and held like any other") {
  const ByHand step("1f1b", 1, 4, 1, 6);
  const StepInput input = step.input();
  auto stage_of = layout::stage_of_operators(*input.graph, layout::partition_layers(step.model, step.layout).value());
  // Stage 1 keeps the attention branch of layer 6; stage 2 adds it to the residual stream, which comes from stage 0.
  for (std::size_t op = 0; op < stage_of.size(); ++op)
    if (stage_of[op] == 1 && (input.graph->operators[op].layer > 6 ||
                              input.graph->operators[op].kind >= model::OperatorKind::attention_residual))
      stage_of[op] = 2;
  const auto skip = lower_step(input, stage_of);
  REQUIRE_MESSAGE(skip.ok(), render(skip.errors()));
  const std::pair<std::int64_t, int> six{6 * kMessage, 6};
  CHECK(sent_by(skip->program) == Sent{{{0, 1}, six},
                                       {{1, 0}, six},
                                       {{0, 2}, six},
                                       {{2, 0}, six},
                                       {{1, 2}, six},
                                       {{2, 1}, six},
                                       {{2, 3}, six},
                                       {{3, 2}, six}});
  // Six of the layers' work moved to a stage that has six of its own: the step waits for it.
  CHECK(played(skip->program).makespan > played(lowered(step).program).makespan);
  std::int64_t parameters = 0, as_before = 0;
  for (const StageSummary& s : skip->stages) parameters += s.parameters;
  for (const StageSummary& s : lowered(step).stages) as_before += s.parameters;
  CHECK(parameters == as_before);
}

TEST_CASE("stages that wait for each other in a circle are refused") {
  const ByHand step("1f1b", 1, 4, 1, 6);
  const StepInput input = step.input();
  auto stage_of = layout::stage_of_operators(*input.graph, layout::partition_layers(step.model, step.layout).value());
  for (std::size_t op = 0; op < stage_of.size(); ++op)  // the second half of a layer before its first
    if (stage_of[op] == 1 && input.graph->operators[op].kind == model::OperatorKind::fc1) stage_of[op] = 2;
  const auto circle = lower_step(input, stage_of);
  REQUIRE_FALSE(circle.ok());
  CHECK(circle.errors().front().message == "stages wait for each other in a circle");
}

TEST_CASE("copies of shared parameters sum their gradients wherever they stand, once a step") {
  ByHand step("1f1b", 2, 4, 1, 6);
  step.move({2, 0, 3, 1});
  const LoweredStep tied = lowered(step);
  int reductions = 0;
  for (TaskId task = 0; task < tied.program.tasks(); ++task) {
    const Participant* ends = &tied.program.participant(task);
    if (ends[0].operation == kNone || tied.program.operations[ends[0].operation].activity != Activity::embedding_reduce)
      continue;
    ++reductions;
    CHECK(tied.program.devices[ends[0].device].pipeline_rank() + tied.program.devices[ends[1].device].pipeline_rank() ==
          3);
    // Half of the table (two tensor ranks), 4 bytes a gradient; an all-reduce of two sends as much as there is.
    CHECK(tied.program.template_of(task).bytes_sent == Bytes{1024 / 2 * 256 * 4});
  }
  CHECK(reductions >= 1);
  step.stack.communication.embedding_reduce = false;
  for (const Operation& op : lowered(step).program.operations) CHECK(op.activity != Activity::embedding_reduce);
}

TEST_CASE("a step that cannot be lowered is refused by the check too") {
  ByHand step("1f1b", 1, 4, 1, 6);
  CHECK(check_step(step.input()).empty());
  step.layout.partition = layout::Partition::explicit_layers;
  step.layout.layers_per_stage = {1, 1, 1};
  CHECK(render(check_step(step.input())) == render(lower_step(step.input()).errors()));
}

}  // namespace orrery::program::lower_test
