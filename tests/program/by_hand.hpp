// A step by hand: a small model on nodes of two GPUs, every part of its input open to change.
#pragma once
#include <doctest/doctest.h>

#include <memory>
#include <numeric>

#include "../hardware/clusters.hpp"
#include "../layout/stages.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/network/tuning.hpp"
#include "orrery/program/lower.hpp"

namespace orrery::program::test {

struct ByHand : StepInput {
  schedule::Schedule schedule;
  network::Tuning tuning;
  model::ModelSpec model = layout::test::gpt(24, 256, 4, 1024);
  hardware::ClusterSpec cluster;
  LowerOptions options;

  // `pipeline` ranks of as many stages as `chunks` asks for.
  ByHand(const char* name, int tensor, int pipeline, int chunks, int micro_batches) {
    mode = NetworkMode::ideal;
    layout.tensor = tensor, layout.pipeline = pipeline, layout.virtual_stages = chunks;
    pass.sequence_length = 64;
    auto made = schedule::make_schedule(
        {.name = name, .ranks = pipeline, .chunks = chunks, .micro_batches = micro_batches, .times = {}});
    REQUIRE_MESSAGE(made.ok(), render(made.errors()));
    schedule = *made;
    cluster = hardware::testing::superpod();
    cluster.gpu = "h100-sxm-80gb";
    cluster.gpus_per_node = cluster.scale_out.nics_per_node = cluster.scale_out.fat_tree.leaves_per_unit = 2;
    gpu = hardware::gpu_of(cluster).value();
    kernels = cost::load_kernel_model("h100-sxm-80gb").value();
    tuning = network::tuning_for(cluster).value();
    put_on((layout.ranks() + 1) / 2);
  }
  void put_on(int nodes) {
    topology = hardware::testing::built(cluster, nodes);
    placement.resize(static_cast<std::size_t>(layout.ranks()));
    std::iota(placement.begin(), placement.end(), 0);
  }
  // Pipeline rank r becomes rank to[r].
  void move(const std::vector<int>& to) {
    const auto order = schedule.order;
    for (auto& rank : schedule.placement.rank) rank = to[static_cast<std::size_t>(rank)];
    for (std::size_t r = 0; r < to.size(); ++r) schedule.order[static_cast<std::size_t>(to[r])] = order[r];
  }

  StepInput input() const {
    StepInput input = *this;
    input.graph = std::make_shared<const model::ModelGraph>(layout::graph_of(model, pass));
    input.schedule = std::make_shared<const schedule::Schedule>(schedule);
    input.tuning = std::make_shared<const network::Tuning>(tuning);
    return input;
  }
  layout::StageGraph stages() const {
    const model::ModelGraph whole = layout::graph_of(model, pass);
    const auto spans = layout::partition_layers(model, layout).value();
    return layout::stage_graph(whole, layout::stage_of_operators(whole, spans), layout.stages(), layout, pass);
  }
};

}  // namespace orrery::program::test
