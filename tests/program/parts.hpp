// The parts that lowering puts together, for a step by hand; each rank is a device.
#pragma once
#include "by_hand.hpp"
#include "program/costs.hpp"
#include "program/data_parallel.hpp"

namespace orrery::program::test {

struct Parts {
  StepInput input;
  Costs costs;
  StepParts step;
  const layout::StageGraph& graph;
  const Ranks& ranks;
  Communication& communication;
  Builder builder;
  StageCosts& stages;
  Devices devices;
  DataParallel data;

  explicit Parts(const ByHand& by_hand)
      : input(by_hand.input()),
        step(parts_of(input, costs)),
        graph(step.stages->graph),
        ranks(step.ranks()),
        communication(*step.communication),
        stages(*step.costs),
        devices(fold_ranks(ranks, {}, communication, false)),
        data(layout::Parameters::dense, input, ranks, devices, communication, stages, builder) {
    data.form_groups();
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  const TaskTemplate& task(TemplateId id) const { return builder.template_at(id); }

 private:
  static StepParts parts_of(const StepInput& input, Costs& costs) {
    const auto spans = layout::partition_layers(input.graph->spec, input.layout).value();
    StepParts parts = checked_parts(input, layout::stage_of_operators(*input.graph, spans), costs.parts()).value();
    parts.costs = stage_costs(input, parts, costs.parts());
    return parts;
  }
};

// Parameters of a layer of `gpt(layers, h, …)` with a feed-forward width of 4 h: qkv 3 h² + 3 h, projection h² + h, fc1
// 4 h² + 4 h, fc2 4 h² + h, two norms of 2 h each.
constexpr std::int64_t layer_parameters(std::int64_t h) {
  return 12 * h * h + 13 * h;
}

}  // namespace orrery::program::test
