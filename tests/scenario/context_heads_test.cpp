// Context parallelism by heads, end to end: books, folding, and what it cannot be.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "simulated.hpp"

namespace orrery::scenario::context_heads_test {
namespace {

std::string text_of(const char* layout, const char* exchange, const char* training = "") {
  return fmt::format(
      "model: {{type: llama3.1-8b, layers: 2}}\ncluster: {{type: dgx-h100, nodes: 1}}\nlayout: {{{}}}\ntraining: "
      "{{sequence_length: 16384, global_batch: 8{}}}\nstack: {{type: megatron-2025, communication: {{context_exchange: "
      "{}}}}}\nnetwork: steady\n",
      layout, training, exchange);
}

std::string refusal(const std::string& text) {
  const auto scenario = read_scenario_text(text, "test.yaml");
  return scenario.ok() ? std::string() : render(scenario.errors());
}

}  // namespace

TEST_CASE("exchange by heads gives the same however it is played, and its books balance") {
  for (const char* layout : {"context: 4, data: 2", "context: 2, tensor: 2, sequence_parallel: true, data: 2"})
    for (const char* training : {"", ", recompute: full"}) {
      const std::string text = text_of(layout, "all_to_all", training);
      const report::RunResult run = simulated(text);
      CHECK(simulated(text, {.every_rank = true}).timeline.makespan == run.timeline.makespan);
      CHECK(simulated(text, {.fuse = false}).timeline.makespan == run.timeline.makespan);
      CHECK(report::metrics_of(run).mean_s[static_cast<std::size_t>(program::Category::context_comm)] > 0);
      CHECK(run.flops.model.total() == simulated(text_of(layout, "ring", training)).flops.model.total());
    }
}

TEST_CASE("exchange by heads needs heads for each rank, and flash attention") {
  CHECK(refusal(text_of("context: 8", "all_to_all")).empty());  // 8 key/value heads
  const std::string heads = refusal(text_of("context: 4, tensor: 4, sequence_parallel: true", "all_to_all"));
  CHECK(heads.find("all_to_all: 8 key/value heads do not divide over 4 tensor · 4 context ranks") != std::string::npos);
  CHECK(heads.find("ring and all_gather leave each rank its heads") != std::string::npos);
  CHECK(
      refusal("model: gpt3-125m\ncluster: {type: selene, nodes: 1}\nlayout: {context: 4}\ntraining: {sequence_length: "
              "1024, global_batch: 8, attention: unfused}\nstack: {type: megatron-2022, communication: "
              "{context_exchange: all_to_all}}\n")
          .find("all_to_all is described for flash attention alone") != std::string::npos);
}

}  // namespace orrery::scenario::context_heads_test
