#include "costs.hpp"

#include <utility>

#include "host_paths.hpp"
#include "orrery/layout/alike_stages.hpp"
#include "orrery/program/lower.hpp"

namespace orrery::program {

Costs::Costs() : parts_(std::make_unique<Parts>()) {}
Costs::~Costs() = default;
Costs::Costs(Costs&&) noexcept = default;
Costs& Costs::operator=(Costs&&) noexcept = default;

void PartitionKey::add_to(Hash& hash) const {
  add_pointer(hash, graph);
  for (const layout::StageSpan& span : spans) hash.add(span.layers);
}

void FoldKey::add_to(Hash& hash) const {
  add_pointer(hash, communication);
  for (const ObservedCall& call : calls) hash.add(call.bytes);
}

namespace {

template <class Value, class Key>
std::shared_ptr<Value> known(Kept<Key, Value>& kept, const Key& key) {
  return kept.of(key, [&] { return std::make_shared<Value>(key); });
}

Result<StepParts> parts_of(const StepInput& input, std::shared_ptr<const Cut> cut, Costs::Parts& kept) {
  if (!cut->acyclic) {
    Diagnostic circle;
    circle.path = "layout.partition", circle.message = "stages wait for each other in a circle";
    return circle;
  }
  StepParts parts;
  parts.folded = &kept.devices;
  parts.stages = known(kept.stages, StagesKey{std::move(cut), layout::in_passes(input.layout), input.pass});
  const auto ranks = known(kept.ranks, RanksKey(input, parts.stages->graph));
  parts.communication = known(kept.communication, NetworkKey(input, ranks));
  if (Diagnostics broken = parts.communication->cut_routes(); !broken.empty()) return broken;
  if (Diagnostics broken = check_host_ways(input); !broken.empty()) return broken;
  return parts;
}

}  // namespace

Result<StepParts> checked_parts(const StepInput& input, std::vector<std::int32_t> stage_of, Costs::Parts& kept) {
  const int stages = input.schedule->placement.stages;
  return parts_of(
      input, known(kept.cuts, CutKey{input.graph, std::move(stage_of), stages, layout::recompute_period(input.pass)}),
      kept);
}

Result<StepParts> step_parts(const StepInput& input, Costs::Parts& kept) {
  Result<std::vector<layout::StageSpan>> spans = layout::partition_layers(input.graph->spec, input.layout);
  if (!spans.ok()) return spans.errors();
  const PartitionKey key{input.graph, std::move(spans).value(), input.schedule->placement.stages,
                         layout::recompute_period(input.pass)};
  const auto cut = kept.partitions.of(key, [&] {
    return known(kept.cuts,
                 CutKey{key.graph, layout::stage_of_operators(*key.graph, key.spans), key.stages, key.period});
  });
  return parts_of(input, cut, kept);
}

std::shared_ptr<StageCosts> stage_costs(const StepInput& input, const StepParts& parts, Costs::Parts& kept,
                                        bool inside) {
  std::vector<std::shared_ptr<KernelTimes>> kernels;
  for (const GpuRef& kind : gpu_kinds(input)) kernels.push_back(known(kept.gpus, GpuKind{kind.gpu, kind.kernels}));
  const StageCostsKey key{parts.stages,
                          parts.communication,
                          std::move(kernels),
                          read_by_passes(input.stack.communication),
                          input.stack.launch,
                          input.stack.optimizer.gradient_bytes,
                          input.stack.optimizer.reduce_buffer_elements,
                          input.state.gathered_bytes,
                          inside,
                          fetched_weights(input)};
  return kept.costs.of(key, [&] { return std::make_shared<StageCosts>(key, kept.work, kept.passes); });
}

}  // namespace orrery::program
