// Which layers of an encoder–decoder a stage holds: by count, by cost, by hand; and what is refused.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/layout/layout.hpp"
#include "orrery/layout/stage_graph.hpp"
#include "orrery/model/presets.hpp"

namespace orrery::layout::stacks_test {

namespace {

std::string counts(const model::ModelSpec& m, const Layout& l) {
  const auto spans = partition_layers(m, l);
  if (!spans.ok()) {
    const Diagnostic& d = spans.errors().front();
    return fmt::format("{}: {}; {}", d.path, d.message, d.help);
  }
  std::string text;
  for (const StageSpan& span : *spans) text += (text.empty() ? "" : " ") + std::to_string(span.layers);
  return text;
}

Layout stages(int pipeline, Partition partition, int encoder_stages = 0) {
  Layout l;
  l.pipeline = pipeline, l.partition = partition, l.encoder_stages = encoder_stages;
  return l;
}

}  // namespace

TEST_CASE("stages of an encoder–decoder: counted alike, told apart, or by cost") {
  const model::ModelSpec t5 = *model::load_model("t5-base");  // 12 + 12
  CHECK(counts(t5, stages(1, Partition::even)) == "24");
  CHECK(counts(t5, stages(4, Partition::even)) == "6 6 6 6");
  CHECK(counts(t5, stages(3, Partition::even)) == "8 8 8");  // the second has four of each
  CHECK(counts(t5, stages(4, Partition::even, 1)) == "12 4 4 4");
  // The last is spared for its head, 768 · 32 128 = 24.7 M, where a layer of the decoder has 9.4 M: 8 · 768² + 2 · 768
  // · 3072. Two layers there and five on the others are 43.6 and 47.2 M.
  CHECK(counts(t5, stages(5, Partition::balanced, 2)) == "6 6 5 5 2");
  // Seven do not divide 12: the later ones have one more.
  CHECK(counts(t5, stages(12, Partition::balanced, 7)) == "1 1 2 2 2 2 2 3 3 3 3 0");
  Layout by_hand = stages(4, Partition::explicit_layers);
  by_hand.layers_per_stage = {8, 8, 4, 4};
  CHECK(counts(t5, by_hand) == "8 8 4 4");
}

TEST_CASE("the split by cost makes the costliest stage least, and follows the lengths") {
  // One head of one feature, so that hand figures are short: h = 1, f = 1, vocabulary 1; 4 + 4 layers, 4 stages.
  model::ModelSpec m;
  m.kind = model::ModelKind::encoder_decoder, m.layers = 8, m.encoder_layers = 4;
  m.hidden = m.heads = m.kv_heads = m.head_dim = m.ffn_hidden = m.vocab = 1;
  // Forward of a layer, s before and t behind: encoder 2 s (4 + 2) + 4 s²; decoder 2 t (4 + 2) + 4 t² + 2 (2 t + 2 s) +
  // 4 s t; head 2 t.
  //   s = 10, t = 1: encoder 120 + 400 = 520, decoder 12 + 4 + 44 + 40 = 100, head 2. Stages 1 + 3: 4 · 520 = 2080;
  //   2 + 2: 1040, 202; 3 + 1: two layers on one stage, 1040, and 402. Of equals the fewest: 2.
  //   s = 1, t = 10: encoder 16, decoder 120 + 400 + 44 + 40 = 604, head 20: 1 + 3: 64, 1208 (two on one stage); 2 + 2:
  //   1228. So 1.
  CHECK(encoder_stages_by_cost(m, stages(4, Partition::balanced), {10, 1}) == 2);
  CHECK(encoder_stages_by_cost(m, stages(4, Partition::balanced), {1, 10}) == 1);
  //   s = 10, t = 1, seven stages: 4 + 3 have one layer of the encoder a stage, 520; 3 + 4 two, 1040.
  CHECK(encoder_stages_by_cost(m, stages(7, Partition::balanced), {10, 1}) == 4);
  CHECK(encoder_stages_by_cost(m, stages(1, Partition::balanced), {10, 1}) == 0);
}

TEST_CASE("stages that cannot be are refused with a remedy") {
  const model::ModelSpec t5 = *model::load_model("t5-base"), gpt2 = *model::load_model("gpt2");
  CHECK(counts(t5, stages(4, Partition::even, 4)) ==
        "layout.encoder_stages: 4 stages for the encoder leave none of 4 stages for the decoder; choose from 1 to 3");
  CHECK(
      counts(t5, stages(1, Partition::even, 1)) ==
      "layout.encoder_stages: 1 stages for the encoder leave none of 1 stages for the decoder; leave it out: one stage "
      "holds both");
  CHECK(
      counts(t5, stages(8, Partition::even, 3)) ==
      "layout.encoder_stages: 12 encoder and 12 decoder layers do not divide into 3 and 5 stages; choose divisors, or "
      "say partition: balanced");
  CHECK(counts(t5, stages(16, Partition::balanced, 14)) ==
        "layout.encoder_stages: 12 encoder and 12 decoder layers are too few for 14 and 2 stages; ");
  CHECK(counts(t5, stages(4, Partition::cost_shares, 2)) ==
        "layout.encoder_stages: stages are told by partition: even and balanced only; leave it out, or say partition: "
        "balanced");
  CHECK(counts(t5, stages(4, Partition::cost_shares)) ==
        "layout.partition: is told of models of one stack: layers of encoder and decoder differ; say partition: "
        "balanced, "
        "even with encoder_stages, or a list of layers per stage");
  CHECK(counts(gpt2, stages(4, Partition::even, 2)) ==
        "layout.encoder_stages: gpt2 has no decoder behind an encoder; leave it out: it is of encoder–decoders (T5, "
        "BART)");
}

TEST_CASE("who feeds whom by the stages alone is what the model graph says") {
  model::ModelSpec m = *model::load_model("t5-small");  // 6 + 6
  m.position = model::Position::none;
  PassOptions pass;
  pass.sequence_length = 8, pass.decoder_sequence_length = 4;
  const model::ModelGraph graph = graph_of(m, pass);
  for (const auto& [pipeline, encoder_stages] : {std::pair{4, 2}, {4, 1}, {4, 3}, {4, 0}, {3, 0}, {6, 0}, {2, 0}}) {
    const Layout l = stages(pipeline, Partition::balanced, encoder_stages);
    Layout even = l;
    even.partition = encoder_stages == 0 ? Partition::even : Partition::balanced;
    const auto spans = partition_layers(m, even).value();
    const auto list = [](const StageGraph& of) {
      std::vector<std::pair<int, int>> ends;
      for (const StageEdge& e : of.edges()) ends.emplace_back(e.from, e.to);
      std::sort(ends.begin(), ends.end());
      ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
      return ends;
    };
    CAPTURE(pipeline);
    CAPTURE(encoder_stages);
    CHECK(list(stages_of(m, spans)) ==
          list(stage_graph(graph, stage_of_operators(graph, spans), pipeline, even, pass)));
  }
}

}  // namespace orrery::layout::stacks_test
