// Stages that are called alike have the same passes; those that differ are told apart.
#include "orrery/layout/alike_stages.hpp"

#include <doctest/doctest.h>

#include "stages.hpp"

namespace orrery::layout::alike_stages_test {

namespace {

bool same(const std::vector<PassStep>& a, const std::vector<PassStep>& b) {
  const auto same_step = [](const PassStep& x, const PassStep& y) {
    const auto same_change = [](const MemoryChange& m, const MemoryChange& n) {
      return m.at_end == n.at_end && m.memory_class == n.memory_class && m.bytes == n.bytes && m.tensor == n.tensor;
    };
    return x.is_communication == y.is_communication && x.role == y.role && std::string(x.name) == y.name &&
           x.kernel.flops == y.kernel.flops && x.kernel.bytes == y.kernel.bytes && x.kernel.m == y.kernel.m &&
           x.message == y.message && x.beside == y.beside && x.gradients_ready == y.gradients_ready &&
           x.uses == y.uses && std::ranges::equal(x.memory, y.memory, same_change);
  };
  return std::ranges::equal(a, b, same_step);
}

struct Stages {
  Stages(const model::ModelSpec& spec, const Layout& layout, PassOptions options) {
    options.sequence_length = 128;
    const model::ModelGraph graph = graph_of(spec, options);
    const auto spans = partition_layers(spec, layout);
    REQUIRE(spans.ok());
    const std::vector<std::int32_t> stage_of = stage_of_operators(graph, *spans);
    alike = alike_stages(graph, stage_of, layout.stages(), options);
    for (int s = 0; s < layout.stages(); ++s) models.emplace_back(graph, layout, operators_of(stage_of, s), options);
  }
  std::vector<std::int32_t> alike;
  std::vector<StageModel> models;
};

}  // namespace

TEST_CASE("stages between the first and the last are alike, and do the same in every pass") {
  Layout layout;
  layout.tensor = 2, layout.sequence_parallel = true, layout.pipeline = 3, layout.virtual_stages = 2;
  for (const bool llama : {false, true})
    for (const auto recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
      const model::ModelSpec spec = llama ? test::llama(12, 64, 4, 2, 128, 512) : test::gpt(12, 64, 4, 512);
      PassOptions options;
      options.recompute = recompute;
      const Stages stages(spec, layout, options);
      CHECK(stages.alike == std::vector<std::int32_t>{0, 1, 1, 1, 1, 5});
      for (const PassKind kind :
           {PassKind::forward, PassKind::backward, PassKind::input_gradient, PassKind::weight_gradient})
        CHECK(same(stages.models[1].pass(kind), stages.models[4].pass(kind)));
    }
}

TEST_CASE("recomputation of every third layer tells stages of two layers apart, by where they stand in it") {
  Layout layout;
  layout.pipeline = 8;
  PassOptions options;
  options.recompute = Recompute::full, options.recompute_every = 3;
  const Stages stages(test::gpt(16, 64, 4, 512), layout, options);
  CHECK(stages.alike == std::vector<std::int32_t>{0, 1, 2, 3, 1, 2, 3, 7});
  CHECK(same(stages.models[1].pass(PassKind::backward), stages.models[4].pass(PassKind::backward)));
  CHECK_FALSE(same(stages.models[1].pass(PassKind::backward), stages.models[2].pass(PassKind::backward)));
}

TEST_CASE("recomputation that counts from the first layer of a stage tells no stages apart") {
  Layout layout;
  layout.pipeline = 4;
  for (const auto method : {RecomputeMethod::uniform, RecomputeMethod::block}) {
    PassOptions options;
    options.recompute = Recompute::full, options.recompute_method = method, options.recompute_num_layers = 3;
    const Stages stages(test::gpt(16, 64, 4, 512), layout, options);
    CHECK(stages.alike == std::vector<std::int32_t>{0, 1, 1, 3});
    for (const PassKind kind : {PassKind::forward, PassKind::backward})
      CHECK(same(stages.models[1].pass(kind), stages.models[2].pass(kind)));
  }
}

}  // namespace orrery::layout::alike_stages_test
