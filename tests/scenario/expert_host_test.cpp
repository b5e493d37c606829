// What the host costs layers with experts: counts of tokens that it reads, products launched for each expert, parts
// that are replayed.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "simulated.hpp"

namespace orrery::scenario::expert_host_test {
namespace {

constexpr int kLayers = 4, kMicroBatches = 16, kExperts = 16;

// One GPU; the stack says nothing of the host but what the test says.
double step_s(const std::string& launch, const std::string& experts = "{}", const char* layers = "layers: 4",
              int host_percent = 100) {
  const report::RunResult run = simulated(fmt::format(
      "model: {{{}, hidden: 1024, heads: 16, ffn_hidden: 2048, vocab: 32000, position: rotary, activation: swiglu, "
      "norm: "
      "rms_norm, bias: false, tied_embeddings: false, dropout: false, experts: {{count: {}, top_k: 2, hidden: "
      "512}}}}\ncluster: {{type: dgx-h100, nodes: 1, gpus: 1, host_percent: {}}}\nlayout: {{data: 1}}\ntraining: "
      "{{sequence_length: 4096, "
      "global_batch: {}}}\nstack: {{type: megatron-2024, launch: {}, experts: {}}}\n",
      layers, kExperts, host_percent, kMicroBatches, launch, experts));
  return report::metrics_of(run).step_time_s;
}

std::string eager(const char* per_kernel, const char* graphs = "[]") {
  return fmt::format(
      "{{mode: eager, graphs: {}, per_kernel: {}, per_kernel_backward: {}, per_collective: 0 s, per_micro_batch: 0 s, "
      "per_step: 0 s}}",
      graphs, per_kernel, per_kernel);
}

const char* const kGraph = "{mode: graph, per_step: 0 s}";

}  // namespace

// The host is ahead, but for the one launch behind each reading of the counts, which the device waits for: one a layer
// and micro-batch. Beside these there is the first launch of the step, and what the optimizer is launched with.
TEST_CASE("behind the counts of tokens the device waits for a launch") {
  const double more = step_s(eager("0.1 us")) - step_s(kGraph), reads = 0.1e-6 * kLayers * kMicroBatches;
  CHECK(more >= reads * 0.999);
  CHECK(more < reads + 20e-6);
  // Dense layers have none.
  const char* const dense = "layers: 4, position: rotary";
  const auto without = [&](const std::string& launch) {
    const report::RunResult run = simulated(fmt::format(
        "model: {{{}, hidden: 1024, heads: 16, vocab: 32000}}\ncluster: {{type: dgx-h100, nodes: 1, gpus: 1}}\nlayout: "
        "{{data: 1}}\ntraining: {{sequence_length: 2048, global_batch: {}}}\nstack: {{type: megatron-2024, launch: "
        "{}}}\n",
        dense, kMicroBatches, launch));
    return report::metrics_of(run).step_time_s;
  };
  CHECK(without(eager("0.1 us")) - without(kGraph) < 5e-6);
}

// A host slower than any kernel: the step is the sum of its launches. Of two grouped products three kernels each, one
// forward and two backward, are launched 16 times instead of once.
TEST_CASE("grouped products launched for each expert apart") {
  const std::string slow = eager("1 ms");
  const double more = step_s(slow, "{launched_apart: true}") - step_s(slow);
  CHECK(more == doctest::Approx(kLayers * kMicroBatches * (kExperts - 1) * 6 * 1e-3).epsilon(1e-3));
}

// The same on a host that takes three quarters more, and where a product or cast of one expert takes 5 ms: all products
// of experts, 6 · 16, take 4 ms more.
TEST_CASE("what a host takes goes by its cluster, and of experts by a figure of their own") {
  const std::string slow = eager("1 ms"), apart = "{launched_apart: true}";
  const double plain = step_s(slow, apart);
  const double more = step_s("{per_expert_kernel: 5 ms, " + slow.substr(1), apart) - plain;
  CHECK(more == doctest::Approx(kLayers * kMicroBatches * kExperts * 6 * 4e-3).epsilon(1e-3));
  CHECK(step_s("{per_expert_kernel: 5 ms, " + slow.substr(1)) == doctest::Approx(step_s(slow)));
  CHECK(step_s(slow, apart, "layers: 4", 175) == doctest::Approx(1.75 * plain).epsilon(1e-3));
}

// Of a router 13 launches forward and 8 backward (two products, six small kernels; one product's weight gradient among
// them) are gone, with them those of the norm before it: 1 and 2, and one for the sum of two gradients.
TEST_CASE("what is replayed is not launched") {
  const double all = step_s(eager("1 ms")), routed = step_s(eager("1 ms", "[moe_router]")),
               attention = step_s(eager("1 ms", "[attn, moe_router, moe_preprocess]"));
  const double launches = (all - routed) / (kLayers * kMicroBatches * 1e-3);
  CHECK(launches == doctest::Approx(13 + 8 + 1 + 3).epsilon(0.002));
  CHECK(attention < routed);
}

// Launches of a micro-batch that each part takes away, on four layers (`explain --operators` lists them): the norm
// before the MLP has 4 (forward, backward, its weights, the sum of two gradients) and belongs to mlp and moe_router
// both, the rest of a gated MLP 10, of attention with its norm 20 and of cross attention another 20 or so; a router 21,
// a shared expert with its gate 19. What permutes has 3 a layer, of which the counts that the host reads hide a little.
TEST_CASE("each part of a layer that is replayed has its own launches") {
  struct Row {
    const char* model;
    double attn, mlp, moe_router, moe_preprocess;
  };
  const Row rows[] = {
      {"activation: swiglu", 4 * 20, 4 * (4 + 10), 4 * 4, 0},
      {"activation: swiglu, experts: {count: 16, top_k: 2, hidden: 512, shared: 1, shared_gate: true, first_dense: 1}",
       4 * 20, 4 * 4 + 10, 4 * 4 + 3 * (21 + 19), 8.9},
      {"experts: {count: 16, top_k: 2, hidden: 512, shared: 1}, latent_attention: {query_rank: 256, key_value_rank: "
       "256, "
       "nope_dim: 64, rope_dim: 32, value_dim: 64}",
       4 * 34, 4 * 4, 4 * (4 + 31), 11.9},
      {"kind: encoder_decoder, encoder_layers: 2", 121, 4 * 14, 4 * 4, 0}};
  for (const Row& row : rows) {
    const auto step = [&](const std::string& graphs) {
      return report::metrics_of(
                 simulated(fmt::format("model: {{position: rotary, layers: 4, hidden: 1024, heads: 16, ffn_hidden: "
                                       "2048, vocab: 32000, {}}}\n"
                                       "cluster: {{type: dgx-h100, nodes: 1, gpus: 1}}\nlayout: {{data: 1}}\n"
                                       "training: {{sequence_length: 512, global_batch: 4}}\nstack: {{type: "
                                       "megatron-2024, launch: {}}}\n",
                                       row.model, eager("1 ms", graphs.c_str()))))
          .step_time_s;
    };
    CAPTURE(row.model);
    const double all = step("[]");
    const auto launches = [&](const char* part) { return (all - step(fmt::format("[{}]", part))) / 4 / 1e-3; };
    CHECK(launches("attn") == doctest::Approx(row.attn).epsilon(1e-3));
    CHECK(launches("mlp") == doctest::Approx(row.mlp).epsilon(1e-3));
    CHECK(launches("moe_router") == doctest::Approx(row.moe_router).epsilon(1e-3));
    CHECK(launches("moe_preprocess") == doctest::Approx(row.moe_preprocess).epsilon(0.01));
  }
}

}  // namespace orrery::scenario::expert_host_test
