// Steps that begin while the one before still runs: of how many the last is as long as all that follow.
#include <doctest/doctest.h>

#include "simulated.hpp"

namespace orrery::scenario::settled_test {

namespace {

// The host is slower than the GPUs and far ahead after the first step; a slow GPU at the end of the pipeline takes
// three steps to catch up with it: 10 426, 7 344, 7 510, then 7 716 us each.
const std::string kLate =
    "model: {type: bloom-176b, layers: 6, hidden: 256, heads: 8, kv_heads: 4, head_dim: 32, ffn_hidden: 768, vocab: "
    "1024, "
    "position: alibi, activation: swiglu, dropout: true}\n"
    "cluster: {type: jean-zay-a100, nodes: 1, gpus: 3}\nlayout: {pipeline: 3, virtual: 2}\n"
    "training: {sequence_length: 512, global_batch: 3, attention: flash, overlap_data: false, compiled: true}\n"
    "stack: {type: ibm-fsdp, launch: {mode: eager, per_collective: 0 s, per_step: 0 s}, communication: {messages: "
    "serialised}, "
    "optimizer: {post_validation: split_backward}}\n"
    "schedule: zbv\nnetwork: {mode: ideal, algorithm: ring, protocol: simple}\n";

}  // namespace

// Each of eight steps looks like the one before, 9 600 us, while the lead of the first is used up: 160 us a step.
static const std::string kLead =
    "model: {type: bloom-176b, layers: 4, hidden: 256, heads: 8, kv_heads: 8, head_dim: 32, ffn_hidden: 768, vocab: "
    "1024, "
    "dropout: true, tied_embeddings: true}\n"
    "cluster: {type: jean-zay-a100, nodes: 2}\nlayout: {pipeline: 4, data: 4, zero: parameters, shard_degree: 2}\n"
    "training: {sequence_length: 128, global_batch: 64, micro_batch: 2, recompute: selective, compiled: true}\n"
    "stack: {type: nemo-2022, launch: {mode: eager, per_kernel_backward: 0 s, per_step: 0 s}, communication: "
    "{messages: "
    "serialised, tensor_slowdown_percent: 100, context_slowdown_percent: 100, data_slowdown_percent: 100, "
    "scatter_gather_messages: false, regather_in_backward: false, reshard_in_pipeline: false, embedding_reduce: false, "
    "prefetch: 1, network_step: 0 s}, optimizer: {post_validation: always, reduce_buffer_elements: 0}}\n"
    "schedule: eager_1f1b\nnetwork: {mode: ideal, algorithm: ring, protocol: simple}\n";

TEST_CASE("two steps that are alike are not enough: some lane of a GPU may fall behind in each") {
  const std::string slow = kLead + "perturb: [{device: 0, compute_factor: 0.5}]\n";
  RunOptions many;
  many.steps = 14;
  const Time settled = simulated(slow, many).timeline.step_time;
  CHECK(simulated(slow).timeline.step_time == settled);
  CHECK(simulated(kLead).timeline.step_time == simulated(kLead, many).timeline.step_time);
  many.steps = 3;
  const Time third = simulated(slow, many).timeline.step_time;
  many.steps = 4;
  CHECK(simulated(slow, many).timeline.step_time == third);
  CHECK(third < settled);
}

TEST_CASE("as many steps are played as it takes until two are alike") {
  const auto slow = simulated(kLate + "perturb: [{device: 2, compute_factor: 0.5}]\n");
  CHECK(slow.program.steps == 8);
  RunOptions many;
  many.steps = 11;
  CHECK(simulated(kLate + "perturb: [{device: 2, compute_factor: 0.5}]\n", many).timeline.step_time ==
        slow.timeline.step_time);
  many.steps = 2;
  CHECK(simulated(kLate + "perturb: [{device: 2, compute_factor: 0.5}]\n", many).timeline.step_time <
        slow.timeline.step_time);
  const auto like = simulated(kLate);
  CHECK(like.program.steps == 4);
  CHECK(slow.timeline.step_time >= like.timeline.step_time);
}

}  // namespace orrery::scenario::settled_test
