// Replicas of unlike numbers of micro-batches.
#include <fmt/format.h>

#include <algorithm>

#include "orrery/model/flops.hpp"
#include "scenario/places.hpp"
#include "two_stages.hpp"

namespace orrery::scenario::batch_split_test {
namespace {

using program::Category;

// Two stages of one and three layers on each of two replicas.
std::string text_of(const std::string& split, int batch, const std::string& more = "") {
  return fmt::format(
      "model: {{type: llama3.1-8b, layers: 4}}\ncluster: {{type: dgx-h100, nodes: 1, gpus: 4}}\nlayout: {{tensor: 1, "
      "pipeline: 2, data: 2, partition: explicit, layers_per_stage: [1, 3]{}}}\ntraining: {{sequence_length: 4096, "
      "global_batch: {}, overlap_data: false}}\nstack: {{type: megatron-2024, launch: {{mode: graph, per_step: 0 "
      "s}}}}\nnetwork: ideal\n{}",
      split, batch, more);
}
std::string counts(const std::string& list) {
  return ", batch_split: explicit, micro_batches_per_replica: " + list;
}

std::int64_t of(const report::RunResult& run, std::size_t device, Category category) {
  return run.split[device][static_cast<std::size_t>(category)];
}

// The end of the last pass of a device.
std::int64_t passes_end(const report::RunResult& run, program::DeviceIndex device) {
  std::int64_t end = 0;
  for (program::TaskId t = 0; t < run.program.tasks(); ++t)
    for (std::uint32_t i = run.program.participant_begin[t]; i < run.program.participant_begin[t + 1]; ++i) {
      const program::Participant& p = run.program.participants[i];
      if (p.device == device && p.operation != program::kNone &&
          run.program.operations[p.operation].activity == program::Activity::backward)
        end = std::max(end, run.timeline.end[t]);
    }
  return end;
}

}  // namespace

// 1F1B of m micro-batches on two ranks: the first is done at a + c + m (b + B) + c + A, the second c + A before
// (TwoStages). So is each replica by its own m; their gradients meet when the later is done.
TEST_CASE("replicas of four and of one micro-batch, worked by hand") {
  const report::RunResult run = simulated(text_of(counts("[4, 1]"), 5));
  const TwoStages by_hand(run);
  REQUIRE(run.program.devices.size() == 4);  // of two stages and two replicas
  for (program::DeviceIndex d = 0; d < 4; ++d) {
    const program::Device& device = run.program.devices[d];
    const bool first = device.at[layout::Dimension::pipeline] == 0;
    const std::int64_t m = device.at[layout::Dimension::data] == 0 ? 4 : 1;
    CAPTURE(d);
    CHECK(passes_end(run, d) == (first ? by_hand.first_is_done(m) : by_hand.second_is_done(m)));
    CHECK(of(run, d, Category::compute) == m * (first ? by_hand.a + by_hand.A : by_hand.b + by_hand.B));
  }
  CHECK(run.schedule_bubbles.makespan == by_hand.first_is_done(4));
  const report::RunResult four = simulated(text_of("", 8));  // four on each
  CHECK(run.timeline.step_time == four.timeline.step_time);
  CHECK(run.flops.model.total() * 8 == four.flops.model.total() * 5);
  CHECK(run.flops.executed.total() * 8 == four.flops.executed.total() * 5);
  CHECK(run.kernels.products.time * 8 == four.kernels.products.time * 5);
  CHECK(run.kernels.memory_bound * 8 == four.kernels.memory_bound * 5);
}

// In flight at most two on the first rank of the replica that has two or more, one on that of one micro-batch.
TEST_CASE("a replica holds the activations of its own micro-batches") {
  const report::RunResult run = simulated(text_of(counts("[4, 1]"), 5)), even = simulated(text_of("", 8)),
                          one = simulated(text_of("", 2));
  REQUIRE(run.memory.size() == 4);
  for (std::size_t d = 0; d < 4; ++d) {
    const auto stage = static_cast<std::size_t>(run.program.devices[d].pipeline_rank());
    const bool many = run.program.devices[d].at[layout::Dimension::data] == 0;
    CHECK(run.memory[d].peak == (many ? even : one).memory[stage].peak);
  }
  CHECK(even.memory[0].peak > one.memory[0].peak);
}

TEST_CASE("as many micro-batches on each replica are an even split") {
  const report::RunResult even = simulated(text_of("", 6)), said = simulated(text_of(counts("[3, 3]"), 6)),
                          balanced = simulated(text_of(", batch_split: balanced", 6));
  CHECK(said.timeline_hash == even.timeline_hash);
  CHECK(balanced.timeline_hash == even.timeline_hash);
  CHECK(even.micro_batches.empty());
  CHECK(balanced.micro_batches.empty());
}

// They then meet in each micro-batch alike, so what is called there is no reason to refuse them.
TEST_CASE("as many micro-batches on each replica are an even split also where replicas meet in each") {
  const auto check_even = [](const std::string& text) {
    CAPTURE(text);
    const auto with = [&](const std::string& split) {
      std::string said = text;
      return simulated(said.replace(said.find("SPLIT"), 5, split));
    };
    const report::RunResult even = with("");
    for (const std::string& split : {counts("[4, 4]"), std::string(", batch_split: balanced")}) {
      CHECK(with(split).timeline.step_time == even.timeline.step_time);
      CHECK(with(split).timeline_hash == even.timeline_hash);
    }
  };
  check_even(text_of(", zero: gradientsSPLIT", 8));
  check_even(text_of(", zero: parametersSPLIT", 8));
  check_even(
      "model: {type: mixtral-8x7b, layers: 4}\ncluster: {type: selene, nodes: 1, gpus: 4}\nlayout: {pipeline: 2, data: "
      "2, expert: 2SPLIT}\ntraining: {sequence_length: 2048, global_batch: 8}\nschedule: 1f1b\nstack: "
      "megatron-2025-moe\nnetwork: ideal\n");
}

TEST_CASE("which replica has more is all the same to the step") {
  const report::RunResult first = simulated(text_of(counts("[5, 2]"), 7)),
                          second = simulated(text_of(counts("[2, 5]"), 7));
  CHECK(first.timeline.step_time == second.timeline.step_time);
  CHECK(first.micro_batches == std::vector<std::int64_t>{5, 2});
  CHECK(report::to_text(first, {}).find("micro-batches: 5 on 1 replica, 2 on 1\n") != std::string::npos);
}

// What moves to the hosts is counted by each rank's own passes; the books, which every run is held to, compare the two.
TEST_CASE("a replica moves the activations of its own micro-batches") {
  std::string text = text_of(counts("[4, 1]"), 5);
  text.replace(text.find("overlap_data: false"), 19, "overlap_data: false, offload: {activations: 1}");
  const report::RunResult run = simulated(text);
  REQUIRE(run.hosts);
  CHECK(!run.hosts->to_host.empty());
}

TEST_CASE("a run says that unlike replicas are played apart") {
  const std::string note =
      "Ranks of one place in the pipeline are played apart where they differ: replicas of unlike numbers of "
      "micro-batches.";
  const auto says = [&](const report::RunResult& run) { return std::ranges::find(run.notes, note) != run.notes.end(); };
  CHECK(says(simulated(text_of(counts("[4, 1]"), 5))));
  CHECK_FALSE(says(simulated(text_of("", 8))));
}

TEST_CASE("unlike replicas give the same however they are played") {
  for (const char* schedule : {"1f1b", "gpipe", "zb_h1", "eager_1f1b"}) {
    const std::string text = text_of(counts("[4, 2]"), 6, fmt::format("schedule: {}\n", schedule));
    const report::RunResult run = simulated(text), every = simulated(text, {.every_rank = true}),
                            unfused = simulated(text, {.fuse = false});
    CAPTURE(schedule);
    CHECK(every.timeline.makespan == run.timeline.makespan);
    CHECK(unfused.timeline.makespan == run.timeline.makespan);
  }
}

namespace {

std::vector<std::int64_t> balanced(const std::string& text) {
  const auto scenario = read_scenario_text(text, "test.yaml");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  Catalogue catalogue;
  const auto run = resolve(*scenario, catalogue);
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  CHECK(run->input().of_replicas.empty() == run->scenario().layout.unlike_micro_batches().empty());
  return run->scenario().layout.micro_batches_per_replica;
}

std::string on_pools(int batch) {
  return fmt::format(
      "model: {{type: llama3.1-8b, layers: 4}}\ncluster: {{pools: [{{name: new, type: dgx-h100, nodes: 1}}, {{name: "
      "old, "
      "type: selene, nodes: 2}}]}}\nlayout: {{tensor: 4, pipeline: 2, data: 3, sequence_parallel: true, batch_split: "
      "balanced}}\nplacement: {{type: pools, replicas: [old, new, old]}}\ntraining: {{sequence_length: 4096, "
      "global_batch: {}}}\nstack: megatron-2024\nnetwork: ideal\n",
      batch);
}

}  // namespace

TEST_CASE("on like GPUs the first replicas have what is left over") {
  CHECK(balanced(text_of(", batch_split: balanced", 7)) == std::vector<std::int64_t>{4, 3});
  CHECK(balanced(text_of(", batch_split: balanced", 7, "schedule: gpipe\n")) == std::vector<std::int64_t>{4, 3});
}

// Chimera needs multiples of its ranks, here two: 10 are not 5 and 5, but 6 and 4.
TEST_CASE("numbers that the schedule takes") {
  CHECK(balanced(text_of(", batch_split: balanced", 10, "schedule: chimera\n")) == std::vector<std::int64_t>{6, 4});
}

// f and t of a replica go by one over its speed v, with head and layers in the same proportion: the last of m on the
// replica at v is done at (k + m − 1) / v, k = f / t the same for all. No other numbers end sooner.
TEST_CASE("on unlike GPUs the last replica is done as soon as any numbers let it") {
  const auto scenario = read_scenario_text(on_pools(40), "test.yaml");
  REQUIRE(scenario.ok());
  const double fast = speed_of_gpu(scenario->pools[0], DType::bf16),
               slow = speed_of_gpu(scenario->pools[1], DType::bf16);
  REQUIRE(fast > 2 * slow);
  const auto spans = layout::partition_layers(scenario->model, scenario->layout);
  REQUIRE(spans.ok());
  const auto flops = [&](std::size_t stage) {
    WideFlops sum = (*spans)[stage].head ? model::head_flops(scenario->model, 4096) : 0;
    for (int i = 0; i < 2; ++i) sum += model::layer_flops(scenario->model, i, 4096);
    return static_cast<double>(sum);
  };
  const double k = (flops(0) + flops(1)) / flops(1);
  const auto done = [&](std::int64_t old, std::int64_t young) {
    return std::max((k + static_cast<double>(old) - 1) / slow, (k + static_cast<double>(young) - 1) / fast);
  };
  for (const int batch : {3, 8, 17, 40}) {
    const std::vector<std::int64_t> chosen = balanced(on_pools(batch));
    REQUIRE(chosen.size() == 3);
    CHECK(chosen[0] + chosen[1] + chosen[2] == batch);
    double least = done(batch, batch);
    for (std::int64_t first = 1; first < batch - 1; ++first)
      for (std::int64_t second = 1; second < batch - first; ++second)
        least = std::min(least, done(std::max(first, second), batch - first - second));
    CHECK(done(std::max(chosen[0], chosen[2]), chosen[1]) <= least * (1 + 1e-12));
  }
  CHECK(balanced(on_pools(40))[1] > 20);
}

TEST_CASE("a batch split by speed makes a mixed cluster faster") {
  std::string even = on_pools(24);
  even.replace(even.find("balanced"), 8, "even");
  CHECK(simulated(on_pools(24)).timeline.step_time < simulated(even).timeline.step_time);
}

}  // namespace orrery::scenario::batch_split_test
