// Which layers a stage holds.
#include <fmt/format.h>

#include <algorithm>

#include "orrery/layout/layout.hpp"
#include "orrery/model/flops.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::layout {
namespace {

using Counts = std::vector<std::int64_t>;

Diagnostic wrong(std::string path, std::string message, std::string help = {}) {
  Diagnostic d;
  d.path = std::move(path), d.message = std::move(message), d.help = std::move(help);
  return d;
}

std::string stages_text(const Layout& layout) {
  return layout.virtual_stages == 1 ? fmt::format("{} stages", layout.pipeline)
                                    : fmt::format("{} stages ({} ranks × {} virtual)", layout.stages(), layout.pipeline,
                                                  layout.virtual_stages);
}

Result<Counts> even(std::int64_t layers, const Layout& layout) {
  const std::int64_t stages = layout.stages();
  if (layers % stages != 0)
    return wrong("layout.pipeline", fmt::format("{} layers do not divide into {}", layers, stages_text(layout)),
                 "choose a divisor, or say partition: balanced, ends_count_as_layers or a list of layers per stage");
  return Counts(static_cast<std::size_t>(stages), layers / stages);
}

// Embedding and head each take the place of one layer (Llama 3 report, §3.3.2): the end stages hold one layer fewer.
Result<Counts> ends_count_as_layers(std::int64_t layers, const Layout& layout) {
  const std::int64_t stages = layout.stages(), places = layers + 2;
  if (stages == 1) return Counts{layers};
  if (places % stages != 0 || places / stages < 1)
    return wrong("layout.partition",
                 fmt::format("{} layers + embedding + head = {} places do not divide into {}", layers, places,
                             stages_text(layout)),
                 "say partition: balanced");
  Counts counts(static_cast<std::size_t>(stages), places / stages);
  --counts.front(), --counts.back();
  return counts;
}

// Matrix parameters that a token meets in the last layer, like which most are: FLOPs per token are proportional.
std::int64_t layer_cost(const model::ModelSpec& spec) {
  const std::int64_t crossing =
      spec.has_two_stacks() ? model::cross_query_matrices(spec) + model::cross_key_matrices(spec) : 0;
  return model::attention_matrices(spec) + model::mlp_matrices(spec, spec.layers - 1) + crossing;
}

// As many layers a stage, the later ones one more: they hold fewer micro-batches in flight.
Counts spread(std::int64_t layers, std::int64_t stages) {
  Counts counts(static_cast<std::size_t>(stages), layers / stages);
  for (std::int64_t i = 0; i < layers % stages; ++i) ++counts[counts.size() - 1 - static_cast<std::size_t>(i)];
  return counts;
}

// Least cost of the costliest of `stages`, a layer costing its matrix parameters and the head its own (FLOPs per token
// are proportional to them; attention left out, so the head is never undercounted). Of equals, the most layers on the
// last stage. What does not divide goes to the later stages.
Result<Counts> balanced(const model::ModelSpec& spec, const Layout& layout, std::int64_t layers, std::int64_t stages) {
  if (stages == 1) return Counts{layers};
  const std::int64_t of_layer = layer_cost(spec);
  const std::int64_t head_cost = checked_mul(spec.hidden, spec.vocab);
  std::int64_t best_last = 0, best_cost = -1;
  for (std::int64_t last = 0; last <= layers / stages + 1 && last <= layers; ++last) {
    const std::int64_t most = ceil_div(layers - last, stages - 1);
    const std::int64_t cost = std::max(checked_mul(most, of_layer), checked_mul(last, of_layer) + head_cost);
    if (layers - last >= stages - 1 && (best_cost < 0 || cost <= best_cost)) best_last = last, best_cost = cost;
  }
  if (best_cost < 0)
    return wrong("layout.pipeline", fmt::format("{} layers are too few for {}", layers, stages_text(layout)));
  Counts counts = spread(layers - best_last, stages - 1);
  counts.push_back(best_last);
  return counts;
}

// On GPUs of unlike speed the least time of the slowest stage: each layer in turn to the stage that is done first with
// it of those that have memory for it, which is best for tasks of one size; of equals the later one. Every stage but
// the last holds a layer. Layers that no stage has memory for go by speed again: the run says that it does not fit.
Result<Counts> balanced_by_speed(const model::ModelSpec& spec, const Layout& layout) {
  const auto stages = static_cast<std::size_t>(layout.stages());
  const std::int64_t of_layer = layer_cost(spec), of_head = checked_mul(spec.hidden, spec.vocab);
  Counts counts(stages, 1);
  counts.back() = 0;
  const auto with_one_more = [&](std::size_t s) -> Int128 {
    return static_cast<Int128>(counts[s] + 1) * of_layer + (s + 1 == stages ? of_head : 0);
  };
  const auto speed = [&](std::size_t s) -> Int128 { return layout.speeds[s % layout.speeds.size()]; };
  const auto full = [&](std::size_t s) { return !layout.most_layers.empty() && counts[s] >= layout.most_layers[s]; };
  std::int64_t left = spec.layers - layout.stages() + 1;
  if (left < 0)
    return wrong("layout.pipeline", fmt::format("{} layers are too few for {}", spec.layers, stages_text(layout)));
  for (; left > 0; --left) {
    std::size_t best = 0;
    for (std::size_t s = 1; s < stages; ++s) {
      const bool sooner = with_one_more(s) * speed(best) <= with_one_more(best) * speed(s);
      if (full(s) != full(best) ? full(best) : sooner) best = s;
    }
    ++counts[best];
  }
  return counts;
}

// A stage ends with the layer whose cumulative cost reaches its share of the whole (nanotron, models/base.py
// build_model, with get_block_compute_costs: matrix parameters of a layer, of the head): earlier stages round up, the
// last has what is left and the head. By that rule alone the head would stand on the last stage but one, and the loss
// behind it, where the layers end before that stage or on it. No run shows it: 1B on 8 stages takes 20-21 ms a sequence
// whether these two stand in one node or in two, though its logits, 1 GiB, would take 21 ms each way on a NIC; 8B on 16
// is faster than its stages of three layers alone, of which two and the head would be slower. So each stage without a
// layer takes one of the stage before, and the head is on the last.
Result<Counts> cost_shares(const model::ModelSpec& spec, const Layout& layout) {
  const std::int64_t stages = layout.stages(), layers = spec.layers;
  const std::int64_t layer = layer_cost(spec),
                     whole = checked_add(checked_mul(layers, layer), checked_mul(spec.hidden, spec.vocab));
  Counts counts(static_cast<std::size_t>(stages), 0);
  std::int64_t stage = 0;
  for (std::int64_t i = 1; i <= layers; ++i) {
    ++counts[static_cast<std::size_t>(stage)];
    if (stage + 1 < stages && checked_mul(i * layer, stages) >= checked_mul(whole, stage + 1)) ++stage;
  }
  for (std::int64_t s = stages - 2; s > 0; --s) {
    std::int64_t from = s - 1;
    while (from > 0 && counts[static_cast<std::size_t>(from)] < 2) --from;
    if (counts[static_cast<std::size_t>(s)] > 0) break;
    --counts[static_cast<std::size_t>(from)], ++counts[static_cast<std::size_t>(s)];
  }
  for (std::int64_t s = 0; s + 1 < stages; ++s)
    if (counts[static_cast<std::size_t>(s)] < 1)
      return wrong("layout.pipeline", fmt::format("{} layers are too few for {}", layers, stages_text(layout)));
  return counts;
}

Result<Counts> explicit_layers(std::int64_t layers, const Layout& layout) {
  const Counts& counts = layout.layers_per_stage;
  if (static_cast<std::int64_t>(counts.size()) != layout.stages())
    return wrong("layout.layers_per_stage", fmt::format("{} entries for {}", counts.size(), stages_text(layout)));
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const bool end = i == 0 || i + 1 == counts.size();
    if (counts[i] < (end ? 0 : 1))
      return wrong(fmt::format("layout.layers_per_stage[{}]", i),
                   "a stage holds at least one layer (the end stages may hold none)");
    sum += counts[i];
  }
  if (sum != layers)
    return wrong("layout.layers_per_stage", fmt::format("the entries sum to {}, the model has {} layers", sum, layers));
  return counts;
}

// The stages of an encoder, then those of the decoder behind it.
Result<Counts> two_stacks(const model::ModelSpec& spec, const Layout& layout, std::int64_t of_encoder) {
  const std::int64_t stages = layout.stages(), front = spec.encoder_layers, back = spec.layers - front;
  const std::int64_t of_decoder = stages - of_encoder;
  if (of_encoder < 1 || of_decoder < 1)
    return wrong(
        "layout.encoder_stages",
        fmt::format("{} stages for the encoder leave none of {} for the decoder", of_encoder, stages_text(layout)),
        stages == 1 ? "leave it out: one stage holds both" : fmt::format("choose from 1 to {}", stages - 1));
  const bool is_even = layout.partition == Partition::even;
  if (is_even && (front % of_encoder != 0 || back % of_decoder != 0))
    return wrong("layout.encoder_stages",
                 fmt::format("{} encoder and {} decoder layers do not divide into {} and {} stages", front, back,
                             of_encoder, of_decoder),
                 "choose divisors, or say partition: balanced");
  if (front < of_encoder || back < of_decoder)
    return wrong("layout.encoder_stages",
                 fmt::format("{} encoder and {} decoder layers are too few for {} and {} stages", front, back,
                             of_encoder, of_decoder));
  Result<Counts> counts = is_even ? spread(back, of_decoder) : balanced(spec, layout, back, of_decoder);
  if (!counts) return counts;
  const Counts of_front = spread(front, of_encoder);
  counts->insert(counts->begin(), of_front.begin(), of_front.end());
  return counts;
}

// Where nothing is said, layers are counted whichever stack they are of, or costs are balanced.
Result<Counts> of_two_stacks(const model::ModelSpec& spec, const Layout& layout) {
  if (layout.encoder_stages != 0) return two_stacks(spec, layout, layout.encoder_stages);
  if (layout.stages() == 1) return Counts{spec.layers};
  if (layout.partition == Partition::even) return even(spec.layers, layout);
  const int by_cost = encoder_stages_by_cost(spec, layout, {});
  if (by_cost > 0) return two_stacks(spec, layout, by_cost);
  return wrong("layout.pipeline", fmt::format("{} layers are too few for {}", spec.layers, stages_text(layout)));
}

Result<Counts> layer_counts(const model::ModelSpec& spec, const Layout& layout) {
  if (layout.partition != Partition::explicit_layers && layout.stages() > spec.layers + 2)
    return wrong(layout.virtual_stages > 1 ? "layout.virtual" : "layout.pipeline",
                 fmt::format("{} for a model of {} layers", stages_text(layout), spec.layers));
  const bool by_stacks = layout.partition == Partition::even || layout.partition == Partition::balanced;
  if (layout.encoder_stages != 0 && !(spec.has_two_stacks() && by_stacks))
    return spec.has_two_stacks()
               ? wrong("layout.encoder_stages", "stages are told by partition: even and balanced only",
                       "leave it out, or say partition: balanced")
               : wrong("layout.encoder_stages", fmt::format("{} has no decoder behind an encoder", spec.name),
                       "leave it out: it is of encoder–decoders (T5, BART)");
  if (spec.has_two_stacks() && by_stacks) return of_two_stacks(spec, layout);
  if (spec.has_two_stacks() && layout.partition != Partition::explicit_layers && layout.stages() > 1)
    return wrong("layout.partition", "is told of models of one stack: layers of encoder and decoder differ",
                 "say partition: balanced, even with encoder_stages, or a list of layers per stage");
  switch (layout.partition) {
    case Partition::even:
      return even(spec.layers, layout);
    case Partition::ends_count_as_layers:
      return ends_count_as_layers(spec.layers, layout);
    case Partition::balanced:
      if (!layout.speeds.empty() && layout.stages() > 1) return balanced_by_speed(spec, layout);
      return balanced(spec, layout, spec.layers, layout.stages());
    case Partition::cost_shares:
      return cost_shares(spec, layout);
    case Partition::explicit_layers:
      return explicit_layers(spec.layers, layout);
  }
  internal_error("layer_counts: unknown partition");
}

}  // namespace

Result<std::vector<StageSpan>> partition_layers(const model::ModelSpec& spec, const Layout& layout) {
  const Result<Counts> counts = layer_counts(spec, layout);
  if (!counts) return counts.errors();
  std::vector<StageSpan> spans;
  std::int64_t first = 0;
  for (const std::int64_t layers : *counts) {
    spans.push_back({.first_layer = first, .layers = layers});
    first += layers;
  }
  check(first == spec.layers, "partition_layers: every layer on one stage");
  spans.front().embedding = true;
  spans.back().head = true;
  return spans;
}

int encoder_stages_by_cost(const model::ModelSpec& spec, const Layout& layout, const model::Lengths& lengths) {
  const std::int64_t last = spec.layers - 1;
  const WideFlops of_encoder = model::layer_flops(spec, 0, lengths),
                  of_decoder = model::layer_flops(spec, last, lengths), of_head = model::head_flops(spec, lengths);
  int best = 0;
  WideFlops least = 0;
  for (int stages = 1; stages < layout.stages(); ++stages) {
    Layout balanced = layout;
    balanced.partition = Partition::balanced, balanced.encoder_stages = stages;
    const Result<Counts> counts = two_stacks(spec, balanced, stages);
    if (!counts) continue;
    WideFlops most = 0;
    for (std::size_t s = 0; s < counts->size(); ++s) {
      const bool front = s < static_cast<std::size_t>(stages);
      const WideFlops head = s + 1 == counts->size() ? of_head : 0;
      most = std::max(most, (*counts)[s] * (front ? of_encoder : of_decoder) + head);
    }
    if (best == 0 || most < least) best = stages, least = most;
  }
  return best;
}

std::vector<std::int32_t> stage_of_operators(const model::ModelGraph& graph, std::span<const StageSpan> spans) {
  std::vector<std::int32_t> stage;
  for (const model::Operator& op : graph.operators) {
    const auto holds = [&](const StageSpan& span) {
      if (op.layer < 0) return span.embedding;
      if (op.layer >= graph.spec.layers) return span.head;
      return op.layer >= span.first_layer && op.layer < span.first_layer + span.layers;
    };
    stage.push_back(static_cast<std::int32_t>(std::ranges::find_if(spans, holds) - spans.begin()));
  }
  return stage;
}

std::vector<std::int32_t> operators_of(std::span<const std::int32_t> stage_of, std::int32_t stage) {
  std::vector<std::int32_t> nodes;
  for (std::size_t i = 0; i < stage_of.size(); ++i)
    if (stage_of[i] == stage) nodes.push_back(static_cast<std::int32_t>(i));
  return nodes;
}

}  // namespace orrery::layout
