// Runs with experts and latent attention, end to end.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"
#include "simulated.hpp"

namespace orrery::scenario::experts_test {

namespace {

constexpr std::int64_t kHidden = 1024, kExpert = 512, kExperts = 16, kTop = 2, kSequence = 1024;

std::string text_of(const std::string& layout, const std::string& more = "", const char* mode = "steady",
                    const std::string& of_model = "") {
  return fmt::format(
      "model: {{layers: 4, hidden: {}, heads: 16, ffn_hidden: 2048, vocab: 32000, position: rotary, activation: "
      "swiglu, "
      "norm: rms_norm, bias: false, tied_embeddings: false, dropout: false, experts: {{count: {}, top_k: {}, hidden: "
      "{}}}{}}}\ncluster: {{type: dgx-h100, nodes: 1}}\nlayout: {{{}}}\ntraining: {{sequence_length: {}, global_batch: "
      "16{}}}\nnetwork: {}\n",
      kHidden, kExperts, kTop, kExpert, of_model, layout, kSequence, more, mode);
}

const char* const kLatents =
    ", latent_attention: {query_rank: 256, key_value_rank: 128, nope_dim: 64, rope_dim: 32, value_dim: 64}, "
    "prediction_layers: 1";

double share(const report::RunResult& run, program::Category of) {
  return report::metrics_of(run).mean_s[static_cast<std::size_t>(of)];
}

}  // namespace

TEST_CASE("layouts of experts give the same however they are played, and their books balance") {
  for (const char* layout :
       {"data: 8, expert: 8", "data: 8, expert: 2, zero: optimizer",
        "tensor: 2, sequence_parallel: true, data: 4, expert: 4, zero: optimizer",
        "tensor: 2, sequence_parallel: true, context: 2, data: 2, expert: 8",
        "tensor: 2, sequence_parallel: true, pipeline: 2, data: 2, expert: 2, expert_tensor: 2",
        "data: 8, expert: 4, zero: parameters", "data: 8, expert: 2, shard_degree: 4, zero: parameters",
        "pipeline: 2, virtual: 2, data: 4, expert: 4"})
    for (const char* of_model : {"", kLatents}) {
      const std::string text = text_of(layout, "", "steady", of_model);
      CAPTURE(layout);
      const report::RunResult folded = simulated(text);
      CHECK(simulated(text, {.every_rank = true}).timeline.makespan == folded.timeline.makespan);
      CHECK(simulated(text, {.fuse = false}).timeline.makespan == folded.timeline.makespan);
      CHECK(simulated(text, {.every_rank = true, .fuse = false}).timeline.makespan == folded.timeline.makespan);
      CHECK(simulated(text_of(layout, "", "flows", of_model)).timeline.makespan.value > 0);
    }
}

// Two exchanges forward, two backward, of each layer and micro-batch, and the weights of the copies: four bytes each.
TEST_CASE("the exchange is what the network room says of it, and alone in its category") {
  const report::RunResult run = simulated(text_of("data: 8, expert: 8", "", "ideal"));
  const auto scenario = read_scenario_text(text_of("data: 8, expert: 8"), "test.yaml");
  const auto topology = hardware::build_topology(scenario->cluster, 1);
  const auto tuning = network::tuning_for(scenario->cluster);
  std::vector<hardware::DeviceId> ranks;
  for (int i = 0; i < 8; ++i) ranks.push_back(i);
  const auto alone = [&](std::int64_t bytes) {
    return network::unshared_time(
        network::plan_collective({Collective::all_to_all, {bytes}, ranks, {}, {}}, **topology, *tuning),
        (*topology)->links());
  };
  const std::int64_t copies = kSequence * kTop, layers = 4, micro_batches = 2;
  const Time all = (alone(copies * kHidden * 2) * 4 + alone(copies * 4) * 2) * (layers * micro_batches);
  CHECK(share(run, program::Category::expert_comm) == doctest::Approx(seconds(all)));
  CHECK(share(simulated(text_of("data: 8")), program::Category::expert_comm) == 0);
}

TEST_CASE("every dispatcher gives the same however it is played, and its books balance") {
  for (const char* dispatcher : {"all_gather", "deepep", "hybridep"})
    for (const char* layout :
         {"data: 8, expert: 4", "tensor: 2, sequence_parallel: true, data: 4, expert: 2, expert_tensor: 2"}) {
      CAPTURE(dispatcher);
      CAPTURE(layout);
      const std::string text =
          text_of(layout, ", recompute: selective, recompute_modules: [moe, layernorm]") +
          fmt::format("stack: {{type: nemo-2026, experts: {{dispatcher: {}, launched_apart: true}}}}\n", dispatcher);
      const report::RunResult folded = simulated(text);
      CHECK(folded.books.empty());
      CHECK(simulated(text, {.every_rank = true}).timeline.makespan == folded.timeline.makespan);
      CHECK(simulated(text, {.fuse = false}).timeline.makespan == folded.timeline.makespan);
      CHECK(simulated(text, {.every_rank = true, .fuse = false}).timeline.makespan == folded.timeline.makespan);
    }
}

// Of 8 ranks, experts over 2: four hold the same ones. 4 layers of 8 experts of 3 · 1024 · 512 on each.
TEST_CASE("experts have states and gradients of their own group") {
  const std::int64_t experts = 4 * 8 * 3 * kHidden * kExpert;
  const std::int64_t attention = 4 * kHidden * kHidden, tables = 2 * 32000 * kHidden,
                     dense = 4 * (attention + kExperts * kHidden + 2 * kHidden) + kHidden + tables;
  const report::RunResult run = simulated(text_of("data: 8, expert: 2, zero: optimizer", ", gradient_bytes: 4"));
  const auto& held = run.program.devices[0].resident;
  CHECK(held[static_cast<std::size_t>(program::MemoryClass::weights)] == 2 * (dense + experts));
  CHECK(held[static_cast<std::size_t>(program::MemoryClass::gradients)] == 4 * (dense + experts));
  CHECK(held[static_cast<std::size_t>(program::MemoryClass::optimizer)] == 12 * (dense / 8 + experts / 4));
  CHECK(run.stages[0].parameters == dense + experts);
}

TEST_CASE("published models run on one GPU and on copies of it") {
  for (const char* model : {"mixtral-8x7b", "deepseek-v3", "gpt-oss-20b", "llama4-scout", "gemma2-2b", "olmo2-7b"})
    for (const char* layout : {"data: 1", "data: 8"}) {
      CAPTURE(model);
      const std::string text = fmt::format(
          "model: {{type: {}, layers: 4}}\ncluster: {{type: dgx-h100, nodes: 1, gpus: {}}}\nlayout: {{{}}}\ntraining: "
          "{{sequence_length: 2048, global_batch: 8}}\nnetwork: steady\n",
          model, std::string_view(layout).back(), layout);
      CHECK(report::metrics_of(simulated(text)).step_time_s > 0);
    }
}

// 128 GPUs, experts over 64 neighbours: a rack of 72 would hold the first of these groups and 8 GPUs of the second,
// which then calls over the NICs. A job larger than a rack has 64 GPUs of each.
TEST_CASE("jobs larger than an NVLink domain have a segment of each, and say so") {
  const auto run = [](int segment) {
    return simulated(fmt::format(
        "model: {{layers: 1, hidden: 1024, heads: 4, ffn_hidden: 512, vocab: 1024, position: rotary, experts: {{count: "
        "64, top_k: 2, "
        "hidden: "
        "64}}}}\ncluster: {{type: gb200-nvl72, gpus: 128, scale_up: {{segment: {}}}}}\nlayout: {{data: 128, expert: "
        "64}}\ntraining: {{sequence_length: 4096, global_batch: 128}}\nnetwork: steady\n",
        segment));
  };
  const auto noted = [](const report::RunResult& of) {
    return std::ranges::count_if(of.notes, [](const std::string& note) {
      return note ==
             "The job is larger than a domain of gb200-nvl72 and takes 16 nodes (64 GPUs) of each "
             "(cluster.scale_up.segment; 0: all of them).";
    });
  };
  const report::RunResult segments = run(16), straddling = run(0);
  CHECK(noted(segments) == 1);
  CHECK(noted(straddling) == 0);
  CHECK(2 * share(segments, program::Category::expert_comm) < share(straddling, program::Category::expert_comm));
}

TEST_CASE("modules that no layer has are refused by name, each with what is allowed") {
  const auto refusal = [](const char* modules) {
    const auto scenario = read_scenario_text(
        fmt::format("model: llama3.1-8b\ncluster: {{type: dgx-h100, nodes: 1}}\nlayout: {{data: 8}}\ntraining: "
                    "{{sequence_length: 4096, global_batch: 8, recompute: selective, recompute_modules: {}}}\n",
                    modules),
        "test.yaml");
    return scenario.ok() ? std::string() : render(scenario.errors());
  };
  CHECK(refusal("[core_attn, mlp, layernorm]").empty());
  CHECK(refusal("[mlp, moe_act]")
            .find("test.yaml:4:99: training.recompute_modules[1]: 'moe_act' is of no layer: "
                  "llama3.1-8b has no experts") != std::string::npos);
  CHECK(refusal("[mla_up_proj]").find("has no latent attention") != std::string::npos);
  CHECK(refusal("[shared_experts]").find("core_attn, layernorm and mlp are of every model") != std::string::npos);
  CHECK(refusal("[]").find("names nothing to run again") != std::string::npos);
}

// Half of the layers see 1024 of 4096 positions: less attention, and the same of all else.
TEST_CASE("windows take time off attention alone") {
  const auto run = [](const char* more) {
    return simulated(
        fmt::format("model: {{type: llama3.1-8b, layers: 4{}}}\ncluster: {{type: dgx-h100, nodes: 1, gpus: "
                    "1}}\nlayout: {{data: 1}}\ntraining: {{sequence_length: 4096, global_batch: 1}}\n",
                    more));
  };
  const auto all = run(""), half = run(", attention_window: 1024, global_every: 2");
  CHECK(half.flops.model.linear == all.flops.model.linear);
  // Per head and sequence s² or s² − (s − w)(s − w + 1).
  const WideFlops s = 4096, w = 1024;
  CHECK(half.flops.model.attention * (2 * s * s) == all.flops.model.attention * (2 * s * s - (s - w) * (s - w + 1)));
  CHECK(report::metrics_of(half).step_time_s < report::metrics_of(all).step_time_s);
}

}  // namespace orrery::scenario::experts_test
