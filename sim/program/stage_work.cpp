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
