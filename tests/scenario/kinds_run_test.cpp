// Encoders and encoder–decoders through the door: whatever splits them, the books balance and both ways of playing
// agree; keys that are of other models are refused with a remedy.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "orrery/model/flops.hpp"
#include "orrery/report/json_document.hpp"
#include "simulated.hpp"

namespace orrery::scenario::kinds_run_test {

namespace {

// Of eight GPUs; the network decides nothing here.
std::string text_of(const std::string& model, const std::string& layout, const std::string& training,
                    const std::string& stack = "megatron-2024") {
  return fmt::format(
      "model: {}\ncluster: {{type: dgx-a100, nodes: 1}}\nlayout: {{{}}}\n"
      "training: {{sequence_length: 128, global_batch: 32, {}}}\nstack: {}\nnetwork: steady\n",
      model, layout, training, stack);
}

// Folded and fused, and every rank kernel by kernel.
report::RunResult both_ways(const std::string& text) {
  CAPTURE(text);
  const report::RunResult run = simulated(text);
  const report::RunResult apart = simulated(text, {.every_rank = true, .fuse = false});
  CHECK(run.timeline.step_time == apart.timeline.step_time);
  CHECK(run.memory.front().peak == apart.memory.front().peak);
  return run;
}

std::string refused(const std::string& text) {
  const auto scenario = read_scenario_text(text, "test.yaml");
  if (scenario.ok()) return "no error";
  const Diagnostic& d = scenario.errors().front();
  return fmt::format("{}:{}: {}: {}; {}", d.place.line, d.place.column, d.path, d.message, d.help);
}

const std::string kT5 = "{type: t5-small, layers: 8, encoder_layers: 4}";
const std::string kBart = "{type: bart-large, layers: 4, encoder_layers: 2}";
const std::string kBert = "{type: bert-base, layers: 4}";

}  // namespace

TEST_CASE("encoders and encoder-decoders run in every layout with books that balance") {
  for (const auto& [layout, training] : {
           std::pair{"data: 8", "micro_batch: 2"},
           {"tensor: 2, data: 4", "micro_batch: 2, recompute: selective"},
           {"tensor: 4, sequence_parallel: true, data: 2, zero: optimizer", "recompute: full"},
           {"pipeline: 4, data: 2", "micro_batch: 2"},
           {"pipeline: 2, virtual: 2, tensor: 2, sequence_parallel: true", "micro_batch: 1"},
           {"data: 8, zero: parameters", "recompute: full, precision: bf16"},
       })
    for (const std::string& model : {kT5, kBart, kBert}) {
      const std::string length = model == kBert ? "" : ", decoder_sequence_length: 64";
      const report::RunResult run = both_ways(text_of(model, layout, training + length));
      CHECK(run.tokens == 32 * (model == kBert ? 128 : 192));
    }
}

TEST_CASE("fused attention, sequence shards and context ranks of an encoder are counted as they are run") {
  for (const char* how : {"ring", "all_gather"})
    both_ways(text_of(kBert, "context: 2, data: 4", "attention: flash",
                      fmt::format("{{type: megatron-2024, communication: {{context_exchange: {}}}}}", how)));
  const report::RunResult run = both_ways(text_of(kBart, "data: 8", "attention: flash, decoder_sequence_length: 64"));
  // Of attention, what kernels run: without a mask all of it, forward 2 and backward 5 products; with one the blocks of
  // 128 rows that it leaves: one of one.
  const std::int64_t pairs = 2 * 128 * 128 + 2 * (64 * 64 + 64 * 128);
  CHECK((run.flops.model.attention == 32 * 3 * WideFlops{pairs} * 2 * 2 * 1024));
  CHECK((run.flops.executed.attention == 32 * WideFlops{pairs} * (2 + 5) * 2 * 1024));
}

TEST_CASE("what every rank runs alike is the model's once: pooler and transform of BERT over tensor ranks") {
  const report::RunResult one = simulated(text_of(kBert, "data: 8", "micro_batch: 2")),
                          four = simulated(text_of(kBert, "tensor: 4, data: 2", "micro_batch: 2")),
                          spread = simulated(
                              text_of(kBert, "tensor: 4, sequence_parallel: true, data: 2", "micro_batch: 2"));
  // The table is padded to 30 592 rows for one rank and 30 720 for four, at 6 · 768 a token.
  const WideFlops padding = 32 * WideFlops{128} * 6 * 768 * (30720 - 30592);
  CHECK((four.flops.model.total() == one.flops.model.total() + padding));
  CHECK((spread.flops.model.total() == four.flops.model.total()));
  const WideFlops transform = 32 * WideFlops{128} * 6 * 768 * 768, pooler = 32 * WideFlops{6} * 768 * (768 + 2);
  CHECK((four.flops.executed.total() - four.flops.model.total() -
             (one.flops.executed.total() - one.flops.model.total()) ==
         3 * (transform + pooler)));
  CHECK((spread.flops.executed.total() - spread.flops.model.total() -
             (one.flops.executed.total() - one.flops.model.total()) ==
         3 * pooler));
}

TEST_CASE("the closed form of FLOPs is what a run of an encoder-decoder counts") {
  const report::RunResult run = simulated(text_of(kT5, "pipeline: 4, data: 2", "decoder_sequence_length: 32"));
  model::ModelSpec m = *model::load_model("t5-small");
  m.layers = 8, m.encoder_layers = 4;
  CHECK((run.flops.model.total() == model::model_flops(m, {128, 32}, 32)));
  const report::RunResult again =
      simulated(text_of(kT5, "pipeline: 4, data: 2", "decoder_sequence_length: 32, recompute: full"));
  CHECK((again.flops.executed.total() == model::full_recompute_flops(m, {128, 32}, 32)));
  const report::RunResult causal =
      simulated(text_of(kT5, "pipeline: 4, data: 2", "decoder_sequence_length: 32, flops: causal"));
  CHECK((run.flops.model.total() - causal.flops.model.total() == model::causal_saving(m, {128, 32}, 32)));
}

TEST_CASE("balanced chooses the stages of the encoder by the lengths, and the resolved scenario says so") {
  const auto chosen = [](const char* length) {
    const auto s = read_scenario_text(
        text_of("t5-base", "pipeline: 8, partition: balanced", fmt::format("decoder_sequence_length: {}", length)),
        "t.yaml");
    REQUIRE_MESSAGE(s.ok(), render(s.errors()));
    return s->layout.encoder_stages;
  };
  CHECK(chosen("16") > chosen("128"));
  CHECK(chosen("128") > chosen("1024"));
  const report::RunResult run =
      simulated(text_of("t5-base", "pipeline: 8, partition: balanced", "decoder_sequence_length: 128"));
  CHECK(run.scenario_json.find(fmt::format("\"encoder_stages\": {}", chosen("128"))) != std::string::npos);
}

TEST_CASE("messages that block meet the encoder's that skip stages: played, or refused as they stand") {
  const std::string blocking = "{type: megatron-2024, communication: {messages: blocking}}";
  both_ways(text_of(kT5, "pipeline: 4, data: 2, encoder_stages: 2", "micro_batch: 1", blocking));
  // A stage that has sent to the next but one stands until that one has come to receive: with more stages between, for
  // ever.
  CHECK(refused(text_of("t5-small", "pipeline: 8, encoder_stages: 3, partition: balanced", "micro_batch: 1", blocking))
            .find("schedule.type: 1f1b deadlocks with the blocking messages of megatron-2024: rank ") !=
        std::string::npos);
}

TEST_CASE("keys of other models are refused where they stand, with a remedy") {
  CHECK(refused(text_of("gpt2", "data: 8", "decoder_sequence_length: 64")) ==
        "4:77: training.decoder_sequence_length: gpt2 is a decoder alone: none stands behind an encoder; leave it out: "
        "training.sequence_length is that of all its tokens");
  CHECK(
      refused(text_of("bert-base", "data: 8", "decoder_sequence_length: 64")) ==
      "4:77: training.decoder_sequence_length: bert-base is an encoder alone: none stands behind an encoder; leave it "
      "out: training.sequence_length is that of all its tokens");
  CHECK(refused(text_of("t5-small", "data: 8", "attention: flash")) ==
        "4:63: training.attention: fused attention takes no bias on the scores, which t5-small has (model.position: "
        "relative_bias); training: {attention: unfused}");
  CHECK(refused(text_of("t5-small", "data: 8", "micro_batch: 1", "torchtitan-2024")) ==
        "5:8: stack: fused attention takes no bias on the scores, which t5-small has (model.position: relative_bias); "
        "choose a stack with unfused attention, such as megatron-2024");
  CHECK(
      refused(text_of("bart-large", "data: 8", "decoder_sequence_length: 2048")) ==
      "4:77: training.decoder_sequence_length: 2048 is beyond the 1026 learned positions of bart-large "
      "(model.max_positions); say model.max_positions=2048, which adds rows to the position table, or choose a shorter "
      "sequence");
  CHECK(refused(text_of("bart-large", "context: 2, data: 4", "micro_batch: 1")) ==
        "3:19: layout.context: cross-attention is not described over context ranks; set layout.context to 1");
  CHECK(refused(text_of("bart-large", "tensor: 2, sequence_parallel: true, data: 4", "decoder_sequence_length: 63")) ==
        "3:40: layout.sequence_parallel: 63 positions of the decoder do not divide over 2 tensor ranks; ");
  CHECK(refused(text_of("bert-base", "data: 8", "recompute: selective_op")) ==
        "4:63: training.recompute: selective_op is not described for experts, latent attention and encoders; training: "
        "{recompute: selective} or {recompute: full}");
  CHECK(refused(text_of("gpt2", "data: 8, encoder_stages: 2", "micro_batch: 1")) ==
        "3:35: layout.encoder_stages: gpt2 has no decoder behind an encoder; leave it out: it is of encoder–decoders "
        "(T5, "
        "BART)");
}

}  // namespace orrery::scenario::kinds_run_test
