#include "stage_work.hpp"

#include <algorithm>

#include "orrery/layout/alike_stages.hpp"

namespace orrery::program {

void add_options(Hash& hash, const layout::Layout& layout, const layout::PassOptions& pass) {
  hash.add((layout.tensor << 8) + (layout.context << 2) + (layout.sequence_parallel ? 2 : 0));
  hash.add((pass.micro_batch << 8) + static_cast<std::int64_t>(pass.recompute));
  hash.add(pass.sequence_length);
}

void CutKey::add_to(Hash& hash) const {
  add_pointer(hash, graph);
  hash.add((static_cast<std::int64_t>(stages) << 8) + period);
}

Cut::Cut(const CutKey& key)
    : of(key),
      acyclic(model::acyclic(*key.graph, key.stage_of)),
      signatures(layout::stage_signatures(*key.graph, key.stage_of, key.stages, key.period)),
      alike(layout::first_alike(signatures)) {
  std::vector<std::vector<std::int32_t>> operators(static_cast<std::size_t>(key.stages));
  for (std::size_t i = 0; i < key.stage_of.size(); ++i)
    operators[static_cast<std::size_t>(key.stage_of[i])].push_back(static_cast<std::int32_t>(i));
  for (const auto& of_stage : operators) spans.push_back(layout::span_of(*key.graph, of_stage));
}

std::vector<std::int32_t> Cut::operators_of(std::int32_t stage) const {
  return layout::operators_of(of.stage_of, stage);
}

void StagesKey::add_to(Hash& hash) const {
  add_pointer(hash, cut);
  add_options(hash, layout, pass);
}

Stages::Stages(const StagesKey& key)
    : of(key),
      graph(layout::stage_graph(*key.cut->of.graph, key.cut->of.stage_of, key.cut->of.stages, key.layout, key.pass)),
      alike_places(layout::alike_places(key.cut->of.graph->spec, key.layout, layout::tokens_sent(key.layout, key.pass),
                                        key.pass.routing)) {}

void StageWorkKey::add_to(Hash& hash) const {
  add_pointer(hash, graph);
  hash.add(signature.size() + static_cast<std::size_t>(place));
  for (std::size_t i = 0; i < std::min<std::size_t>(signature.size(), 8); ++i) hash.add(signature[i]);
  add_options(hash, layout, pass);
}

const std::vector<layout::PassStep>& StageWork::steps(layout::PassKind kind) {
  auto& steps = steps_[static_cast<std::size_t>(kind)];
  if (!steps) steps = model_.pass(kind);
  return *steps;
}

const std::vector<CallShape>& StageWork::calls(layout::PassKind kind) {
  auto& calls = calls_[static_cast<std::size_t>(kind)];
  if (calls) return *calls;
  calls.emplace();
  for (const layout::PassStep& step : steps(kind)) {
    const CallShape call{step.along, step.collective, step.message, step.rows};
    if (step.is_communication && std::ranges::find(*calls, call) == calls->end()) calls->push_back(call);
  }
  return *calls;
}

std::vector<LayerRange> layer_ranges(const std::vector<layout::PassStep>& steps) {
  std::vector<LayerRange> ranges;
  for (std::uint32_t i = 0; i < steps.size(); ++i) {
    if (ranges.empty() || ranges.back().layer != steps[i].layer) ranges.push_back({steps[i].layer, i, i});
    ranges.back().end = i + 1;
  }
  return ranges;
}

std::int64_t gradients_ready(const std::vector<layout::PassStep>& steps, const LayerRange& range,
                             layout::Parameters of) {
  std::int64_t parameters = 0;
  for (std::uint32_t i = range.begin; i < range.end; ++i)
    if (steps[i].of_experts == (of == layout::Parameters::experts)) parameters += steps[i].gradients_ready;
  return parameters;
}

namespace {

// All that StageCosts::cost() reads.
bool takes_as_long(const layout::PassStep& a, const layout::PassStep& b) {
  return a.name == b.name && a.is_communication == b.is_communication && a.role == b.role && a.kind == b.kind &&
         a.kernel == b.kernel && a.kernels == b.kernels && a.collective == b.collective && a.along == b.along &&
         a.message == b.message && a.rows == b.rows && a.beside == b.beside;
}

}  // namespace

const std::vector<std::uint32_t>& StageWork::like(layout::PassKind kind) {
  auto& like = like_[static_cast<std::size_t>(kind)];
  if (like) return *like;
  like.emplace();
  const std::vector<layout::PassStep>& all = steps(kind);
  const std::vector<LayerRange> ranges = layer_ranges(all);
  for (std::size_t r = 0; r < ranges.size(); ++r)
    for (std::uint32_t i = ranges[r].begin; i < ranges[r].end; ++i) {
      const std::uint32_t before = r == 0 ? i : i - ranges[r].begin + ranges[r - 1].begin;
      const bool same = before < ranges[r].begin && takes_as_long(all[before], all[i]);
      like->push_back(same ? before : i);
    }
  return *like;
}

std::shared_ptr<StageWork> stage_work(const Stages& stages, std::int32_t stage, Kept<StageWorkKey, StageWork>& known,
                                      std::int32_t place) {
  const Cut& cut = *stages.of.cut;
  const StageWorkKey key{cut.of.graph, cut.signatures[static_cast<std::size_t>(stage)], stages.of.layout,
                         stages.of.pass, place};
  return known.of(key, [&] { return std::make_shared<StageWork>(key, cut.operators_of(stage)); });
}

std::shared_ptr<StageWork> balanced_work(const Stages& stages, std::int32_t stage,
                                         Kept<StageWorkKey, StageWork>& known) {
  const Cut& cut = *stages.of.cut;
  StageWorkKey key{cut.of.graph, cut.signatures[static_cast<std::size_t>(stage)], stages.of.layout, stages.of.pass};
  key.pass.routing = {};
  return known.of(key, [&] { return std::make_shared<StageWork>(key, cut.operators_of(stage)); });
}

}  // namespace orrery::program
