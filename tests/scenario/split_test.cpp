// The split of whole steps: what must hold whatever the stack, and the two runs whose split was wrong while its sums
// balanced.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/core/random.hpp"
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/simulate.hpp"
#include "simulated.hpp"

namespace orrery::scenario::split_test {

namespace {

using program::Category;

double share(const report::RunResult& run, Category c) {
  const report::Metrics m = report::metrics_of(run);
  return m.mean_s[static_cast<std::size_t>(c)] / m.step_time_s;
}

std::string gpt2_alone(const char* stack) {
  return fmt::format(
      "model: gpt2\ncluster: {{type: selene, nodes: 1, gpus: 1}}\ntraining: {{sequence_length: 1024, global_batch: "
      "4}}\nstack: {}\nnetwork: steady\n",
      stack);
}

const char* one_of(Random& random, std::initializer_list<const char*> all) {
  return all.begin()[random.below(all.size())];
}

// Without a pipeline: tensor × context × data of a node, any launch and messages.
std::string random_flat(Random& random) {
  const int tensor = 1 << random.below(3), context = 1 << random.below(2), data = 1 << random.below(2);
  return fmt::format(
      "model: {{type: gpt3-125m, vocab: 51200}}\ncluster: {{type: dgx-a100, nodes: {}, gpus: {}}}\nlayout: {{tensor: "
      "{}, context: {}, data: {}, zero: {}}}\ntraining: {{sequence_length: 1024, global_batch: {}, recompute: "
      "{}}}\nnetwork: {}\nstack: {{type: {}, launch: {{mode: {}}}, communication: {{overlap_data: {}, "
      "data_slowdown_percent: {}}}}}\n",
      tensor * context * data > 8 ? 2 : 1, tensor * context * data, tensor, context, data,
      data > 1 ? one_of(random, {"none", "optimizer", "parameters"}) : "none", data * (1 + random.below(3)),
      one_of(random, {"none", "selective", "full"}), one_of(random, {"ideal", "steady"}),
      one_of(random, {"megatron-2022", "megatron-deepspeed-2022", "nemo-2022", "nemo-2025", "llm-foundry"}),
      one_of(random, {"eager", "blocking", "graph"}), one_of(random, {"true", "false"}),
      one_of(random, {"100", "110"}));
}

}  // namespace

TEST_CASE("a host that waits for each kernel takes its own time and no kernel's, fused or not") {
  const auto fused = simulated(gpt2_alone("megatron-deepspeed-2022"));
  const auto unfused = simulated(gpt2_alone("megatron-deepspeed-2022"), {.fuse = false});
  CHECK(fused.split == unfused.split);
  CHECK(share(fused, Category::compute) == doctest::Approx(0.0774).epsilon(0.01));
  CHECK(share(fused, Category::host) == doctest::Approx(0.8961).epsilon(0.01));
  CHECK(share(fused, Category::bubble) == 0);
}

TEST_CASE("what the host takes before the first kernel is no bubble") {
  const auto run = simulated(gpt2_alone("nemo-2022"));
  CHECK(share(run, Category::host) == doctest::Approx(0.8003).epsilon(0.01));
  CHECK(share(run, Category::bubble) == 0);
}

TEST_CASE("without a pipeline and a straggler there is no bubble, fused or not, folded or not") {
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    Random random(seed);
    const std::string text = random_flat(random);
    CAPTURE(seed);
    const auto run = simulated(text);
    CHECK(share(run, Category::bubble) == 0);
    CHECK(simulated(text, {.fuse = false}).split == run.split);
    CHECK(report::metrics_of(simulated(text, {.every_rank = true})).total == report::metrics_of(run).total);
  }
}

TEST_CASE("a straggler is played without, and the report names it and what it costs") {
  const std::string text =
      "model: {type: gpt3-125m, vocab: 51200}\ncluster: {type: dgx-a100, nodes: 1}\nlayout: {pipeline: 4, data: "
      "2}\ntraining: {sequence_length: 1024, global_batch: 16}\nnetwork: steady\nstack: {type: nemo-2025, launch: "
      "{mode: graph, per_step: 0 s}}\n";
  const auto plain = simulated(text);
  CHECK(plain.perturbations.empty());
  CHECK(plain.unperturbed.value == 0);
  const auto slow = simulated(text + "perturb: [{device: 7, compute_factor: 0.4}]\n");
  CHECK(slow.unperturbed == plain.timeline.step_time);
  CHECK(slow.timeline.step_time > plain.timeline.step_time);
  CHECK(slow.perturbations == std::vector<std::string>{"GPU 7 at 0.4 of its speed"});
  CHECK(slow.slow_ranks == std::vector<std::int32_t>{7});
  CHECK(simulated(text + "perturb: [{device: 7, bandwidth_factor: 0.5}]\n").perturbations ==
        std::vector<std::string>{"GPU 7 at 0.5 of its links' bandwidth"});
  CHECK(simulated(text + "perturb: [{node: 0, compute_factor: 0.5, bandwidth_factor: 0.5}]\n").perturbations ==
        std::vector<std::string>{"node 0 at 0.5 of its speed and at 0.5 of its links' bandwidth"});
  const std::string report = report::to_text(slow, {.colour = false, .width = 1000});
  CHECK(report.find("Limit: GPU 7 at 0.4 of its speed costs ") != std::string::npos);
  CHECK(report.find("moving layers") == std::string::npos);
  CHECK(simulated(text + "perturb: [{device: 7, compute_factor: 0.4}]\n", {.what_if = false}).unperturbed.value == 0);
}

TEST_CASE("a step that blocking messages hold up is played without them") {
  const std::string text =
      "model: {type: gpt3-125m, vocab: 51200}\ncluster: {type: dgx-a100, nodes: 1, gpus: 4}\nlayout: {pipeline: "
      "4}\ntraining: {sequence_length: 1024, global_batch: 8}\nnetwork: steady\nstack: {type: megatron-2021, launch: "
      "{mode: graph, per_step: 0 s}, communication: {messages: ";
  const auto blocking = simulated(text + "blocking}}\n"), asynchronous = simulated(text + "asynchronous}}\n");
  CHECK(blocking.asynchronous == asynchronous.timeline.step_time);
  CHECK(asynchronous.asynchronous.value == 0);
}

}  // namespace orrery::scenario::split_test
