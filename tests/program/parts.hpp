// The parts that lowering puts together, for a step by hand; each rank is a device.
#pragma once
#include "by_hand.hpp"
#include "program/data_parallel.hpp"

namespace orrery::program::test {

struct Parts {
  StepInput input;
  std::vector<std::int32_t> stage_of;  // [operator]
  layout::StageGraph graph;
  Ranks ranks;
  Communication communication;
  Builder builder;
  StageCosts stages;
  Devices devices;
  DataParallel data;

  explicit Parts(const ByHand& step)
      : input(step.input()),
        stage_of(
            layout::stage_of_operators(input.graph, layout::partition_layers(input.graph.spec, input.layout).value())),
        graph(step.stages()),
        ranks(input, graph),
        communication(input),
        stages(input, graph, ranks, communication, builder, stage_of),
        devices(fold_ranks(ranks, {}, input, communication, false)),
        data(input, ranks, devices, communication, stages, builder) {
    data.form_groups();
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  const TaskTemplate& task(TemplateId id) const { return builder.template_at(id); }
};

// Parameters of a layer of `gpt(layers, h, …)` with a feed-forward width of 4 h: qkv 3 h² + 3 h, projection h² + h, fc1
// 4 h² + 4 h, fc2 4 h² + h, two norms of 2 h each.
constexpr std::int64_t layer_parameters(std::int64_t h) {
  return 12 * h * h + 13 * h;
}

}  // namespace orrery::program::test
