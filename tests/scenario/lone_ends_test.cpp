// Stages of an embedding or a head alone (partition: ends_count_as_layers, one layer a chunk).
#include <doctest/doctest.h>

#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::lone_ends_test {

// Rotary positions: nothing of the embedding is differentiated by its input, so its I is empty and what the second
// stage sent for it was never given back. In the 405B run of Llama 3 under interleaved_zb1p 512 MiB were left at the
// end.
TEST_CASE("the weight gradient of an embedding alone takes over the message that its empty I does not") {
  for (const char* schedule : {"interleaved_zb1p", "interleaved_1f1b", "zbv", "v_min", "dualpipev"}) {
    CAPTURE(schedule);
    const auto scenario = read_scenario_text(
        std::string(
            "model: {type: llama3.1-8b, layers: 6, hidden: 256, heads: 8, kv_heads: 4, ffn_hidden: 768, vocab: 1024}\n"
            "cluster: {type: selene, nodes: 1}\n"
            "layout: {pipeline: 4, data: 2, virtual: 2, partition: ends_count_as_layers}\n"
            "training: {sequence_length: 512, global_batch: 16}\nstack: megatron-2024\nnetwork: steady\n"
            "schedule: ") +
            schedule + "\n",
        "lone.yaml");
    REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
    const auto run = resolve_and_simulate(*scenario, {});
    REQUIRE_MESSAGE(run.ok(), render(run.errors()));
    CHECK_MESSAGE(run->books.empty(), run->books.front());
  }
}

}  // namespace orrery::scenario::lone_ends_test
