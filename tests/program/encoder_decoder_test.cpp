// A step of an encoder–decoder by hand: who sends what to whom, when each pass runs, what each stage holds.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "by_hand.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/engine/engine.hpp"
#include "orrery/program/schedule_program.hpp"
#include "orrery/schedule/replay.hpp"
#include "orrery/schedule/validate.hpp"

namespace orrery::program::encoder_decoder_test {

namespace {

constexpr std::int64_t s = 64, t = 32, h = 256, a = 4, b = 1;  // tokens of the encoder, of the decoder; micro-batch 1

// Two layers of an encoder and two of a decoder, a stage each, two micro-batches.
struct TwoStacks : test::ByHand {
  TwoStacks() : ByHand("1f1b", 1, 4, 1, 2) {
    model = layout::test::gpt(4, h, a, 1024);
    model.kind = model::ModelKind::encoder_decoder, model.encoder_layers = 2;
    layout.encoder_stages = 2;
    pass.sequence_length = s, pass.decoder_sequence_length = t;
    put_on(2);
  }
};

std::vector<std::string> texts(const layout::StageGraph& graph) {
  std::vector<std::string> edges;
  for (const layout::StageEdge& e : graph.edges())
    edges.push_back(fmt::format("{}>{} {} {}", e.from, e.to, e.tensor, e.bytes.value));
  return edges;
}

layout::StageGraph without(const layout::StageGraph& graph, std::initializer_list<std::pair<int, int>> dropped) {
  std::vector<layout::StageEdge> edges;
  for (const layout::StageEdge& e : graph.edges())
    if (std::ranges::find(dropped, std::pair<int, int>{e.from, e.to}) == dropped.end()) edges.push_back(e);
  return layout::StageGraph(graph.stages(), edges);
}

struct Played {
  std::int64_t makespan = 0, messages = 0, skipping = 0;
  std::vector<std::int64_t> peak;
};

Played play(const schedule::Schedule& schedule, const layout::StageGraph& stages) {
  const schedule::StageTimes times = schedule::uniform_times(4, 1, 1, 1, 1);
  const std::vector<Time> unit(4, Time{1});
  const Result<Program> program = lower_schedule(
      schedule, stages, {unit, unit, unit, {}, Time{1}, MessageMode::asynchronous}, Release::weight_gradient);
  REQUIRE(program.ok());
  const engine::Timeline timeline = engine::evaluate_one_pass(*program);
  Played played{timeline.makespan.value, 0, 0, {}};
  CHECK(schedule::validate(schedule, stages).empty());
  CHECK(schedule::replay(schedule, stages, times).makespan == played.makespan);
  for (TaskId task = 0; task < program->tasks(); ++task) {
    const Participant* ends = &program->participants[program->participant_begin[task]];
    const Activity of = program->operations[ends[0].operation].activity;
    if (of != Activity::send_forward && of != Activity::send_backward) continue;
    ++played.messages;
    const int apart = static_cast<int>(ends[1].device) - static_cast<int>(ends[0].device);
    played.skipping += std::abs(apart) > 1 ? 1 : 0;
  }
  for (const engine::DeviceMemory& m : engine::memory_of(*program, timeline)) played.peak.push_back(m.peak);
  return played;
}

}  // namespace

TEST_CASE("two encoder and two decoder layers on 2 + 2 stages: messages, makespan and peak by hand") {
  const TwoStacks step;
  const layout::StageGraph stages = step.stages();
  // The encoder's stream is 64 · 256 values of two bytes, and so is what it makes, for each stage of the decoder: that
  // for stage 3 skips stage 2. The decoder's stream is half as long. The table is on three stages: where both stacks
  // begin, and at the head.
  CHECK(texts(stages) == std::vector<std::string>{"0>1 mlp.residual 32768", "1>2 encoder.norm 32768",
                                                  "1>3 encoder.norm 32768", "2>3 mlp.residual 16384"});
  REQUIRE(stages.shared().size() == 1);
  CHECK(stages.shared()[0].stages == std::vector<std::int32_t>{0, 2, 3});
  CHECK(stages.shared()[0].parameters == 1024 * h);

  // F = 1, B = 2, a message 1. Forward (micro-batches 0 and 1): rank 0 0-1 1-2, rank 1 2-3 3-4, rank 2 4-5 5-6, rank 3
  // 6-7, then B0 7-9, F1 9-10, B1 10-12. Rank 2, which hears from 3 at 10 and 13: 10-12, 13-15. Rank 1 hears from 3 at
  // 10 and 13, but from 2 at 13 and 16: 13-15, 16-18. Rank 0: 16-18, 19-21. Four edges, both ways, twice: 16 messages,
  // of which those between 1 and 3, four, skip a stage. In flight: two micro-batches, on the last rank one.
  const Played whole = play(step.schedule, stages);
  CHECK(whole.makespan == 21);
  CHECK(whole.messages == 16);
  CHECK(whole.skipping == 4);
  CHECK(whole.peak == std::vector<std::int64_t>{2, 2, 2, 1});
  // Without the edge that skips: four messages less. Without either, the stacks do not wait for each other: rank 2 0-1
  // 1-2, rank 3 2-3, B0 3-5, F1 5-6, B1 6-8, rank 2 6-8 9-11; the encoder 0-1 1-2, 2-3 3-4, 4-6 6-8, 7-9 9-11.
  const Played direct = play(step.schedule, without(stages, {{1, 3}}));
  CHECK(direct.messages == 12);
  CHECK(direct.skipping == 0);
  const Played apart = play(step.schedule, without(stages, {{1, 2}, {1, 3}}));
  CHECK(apart.makespan == 11);
  CHECK(apart.messages == 8);
}

TEST_CASE("what a layer keeps: 34 s b h + 5 a b s², and for attention to the encoder 9 t b h + 4 s b h + 5 a b s t") {
  // Korthikanti et al. 2022, section 4.1, for the first. Cross-attention keeps the input of its norm and of its query,
  // the query, what attention makes, and a mask: 9 bytes a value of the decoder; keys and values, 4 of the encoder;
  // scores as there. What the encoder made is kept once a stage, 2. Behind an embedding with dropout, a mask, 1.
  TwoStacks step;
  step.model.vocab = 64, step.model.position = model::Position::none;  // small tables, whose gradients are not the peak
  const StepInput input = step.input();
  const auto spans = layout::partition_layers(step.model, step.layout).value();
  const auto stage_of = layout::stage_of_operators(*input.graph, spans);
  const auto saved = [&](std::int32_t stage) {
    return layout::StageModel(*input.graph, step.layout, layout::operators_of(stage_of, stage), step.pass)
        .saved_activations()
        .value;
  };
  const std::int64_t encoder = 34 * s * b * h + 5 * a * b * s * s,
                     decoder = 34 * t * b * h + 5 * a * b * t * t + 9 * t * b * h + 4 * s * b * h + 5 * a * b * s * t;
  CHECK(saved(0) == encoder + s * b * h);
  CHECK(saved(1) == encoder + 2 * s * b * h);  // and the input of its last norm
  CHECK(saved(2) == decoder + 2 * s * b * h + t * b * h);

  // Played: rank 2 holds two micro-batches of that when its first backward pass begins. Its peak is in the product
  // behind the first step of that, which has given back the mask of the last dropout.
  const Result<LoweredStep> lowered = lower_step(input, step.options);
  REQUIRE_MESSAGE(lowered.ok(), render(lowered.errors()));
  CHECK(lowered->flops_book.empty());
  const engine::Timeline timeline = engine::evaluate_one_pass(lowered->program);
  const auto memory = engine::memory_of(lowered->program, timeline);
  CHECK(memory[2].at_peak[static_cast<std::size_t>(MemoryClass::activations)] == 2 * saved(2) - t * b * h);
}

}  // namespace orrery::program::encoder_decoder_test
