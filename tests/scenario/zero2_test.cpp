// ZeRO-2: gradients reduced to their shards in every backward pass, behind a group of them, or accumulated whole, as
// the stack says.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::zero2_test {

namespace {

constexpr std::int64_t kMicroBatches = 4, kRanks = 8, kLayers = 12, kHidden = 768;

// GPT-3 125M on 8 ranks of one node, 4 micro-batches of a sequence each.
report::RunResult simulated(const std::string& zero, const std::string& stack, const std::string& layout = "data: 8",
                            int batch = 32, const std::string& schedule = "1f1b") {
  const auto scenario = read_scenario_text(
      fmt::format(
          "model: gpt3-125m\ncluster: {{type: selene, nodes: 1}}\nlayout: {{{}, zero: {}}}\ntraining: "
          "{{sequence_length: 1024, global_batch: {}, micro_batch: 1}}\nschedule: {}\nnetwork: ideal\nstack: {}\n",
          layout, zero, batch, schedule, stack),
      "test.yaml");
  REQUIRE(scenario.ok());
  auto run = resolve_and_simulate(*scenario, {});
  REQUIRE(run.ok());
  CHECK(run->books.empty());
  return std::move(run).value();
}

struct Reductions {
  std::int64_t count = 0, sent = 0, time = 0;
};
// Of one device, or all.
Reductions reductions(const report::RunResult& run, std::uint32_t device = program::kNone) {
  Reductions sum;
  for (program::TaskId task = 0; task < run.program.tasks(); ++task) {
    const program::TaskTemplate& t = run.program.template_of(task);
    const program::DeviceIndex first = run.program.participant(task).device;
    if (std::string_view(t.name) != "reduce gradients" || (device != program::kNone && first != device)) continue;
    ++sum.count;
    sum.sent += t.bytes_sent.value;
    sum.time += t.duration.value;
  }
  return sum;
}

std::int64_t held(const report::RunResult& run, program::MemoryClass of) {
  return run.program.devices[0].resident[static_cast<std::size_t>(of)];
}
std::int64_t at_peak(const report::RunResult& run, program::MemoryClass of) {
  return run.memory[0].at_peak[static_cast<std::size_t>(of)];
}

}  // namespace

TEST_CASE("ZeRO-2 under FSDP: an eighth of the gradients stays, every layer is reduced in every backward pass") {
  const report::RunResult two = simulated("gradients", "llm-foundry"), three = simulated("parameters", "llm-foundry"),
                          one = simulated("optimizer", "llm-foundry");
  const std::int64_t n = two.stages[0].parameters, width = 2;
  CHECK(held(two, program::MemoryClass::weights) == 2 * n);
  CHECK(held(two, program::MemoryClass::gradients) == width * n / kRanks);
  CHECK(held(two, program::MemoryClass::optimizer) == 12 * n / kRanks);
  CHECK(held(one, program::MemoryClass::gradients) == width * n);
  // Units: embedding, layers, final norm. Each rank sends 7/8 of its gradients in each micro-batch.
  const Reductions of_two = reductions(two);
  CHECK(of_two.count == kMicroBatches * (kLayers + 2));
  CHECK(of_two.sent == kMicroBatches * width * n * (kRanks - 1) / kRanks);
  CHECK(reductions(one).sent == width * n * (kRanks - 1) / kRanks);
  // As long as the same reductions of ZeRO-3.
  CHECK(of_two.time == reductions(three).time);
}

TEST_CASE("ZeRO-2 holds the gradients of the unit in flight whole until they are reduced") {
  // Where the peak is inside a backward pass, buffers hold the unit being computed and at most those being reduced.
  const report::RunResult two = simulated("gradients", "llm-foundry"), one = simulated("optimizer", "llm-foundry");
  const std::int64_t layer = 2 * (12 * kHidden * kHidden + 13 * kHidden);
  const std::int64_t table = two.stages[0].parameters * 2 - kLayers * layer;
  CHECK(two.memory[0].peak <= one.memory[0].peak);
  CHECK(two.memory[0].peak >= one.memory[0].peak - held(one, program::MemoryClass::gradients));
  CHECK(at_peak(two, program::MemoryClass::buffers) - at_peak(one, program::MemoryClass::buffers) <= table + layer);
}

TEST_CASE("DeepSpeed's stage 2 reduces a bucket of layers at a time, in every micro-batch") {
  // reduce_bucket_size is 5e8 elements, the model 1.25e8: one bucket a backward pass.
  const report::RunResult two = simulated("gradients", "megatron-deepspeed-2022");
  const std::int64_t n = two.stages[0].parameters;
  CHECK(reductions(two).count == kMicroBatches);
  CHECK(reductions(two).sent == kMicroBatches * 2 * n * (kRanks - 1) / kRanks);
  const report::RunResult small =
      simulated("gradients", "{type: megatron-deepspeed-2022, optimizer: {reduce_buffer_elements: 10000000}}");
  // Final norm and one layer and a half (7.09e6 parameters a layer): two layers a bucket; the table with what remains.
  CHECK(reductions(small).count == kMicroBatches * 7);
  CHECK(reductions(small).sent == reductions(two).sent);
}

TEST_CASE("stacks that accumulate first run ZeRO-2 as ZeRO-1, and say so") {
  for (const char* stack : {"megatron-2024", "nemo-2025", "nanotron"}) {
    CAPTURE(stack);
    const report::RunResult two = simulated("gradients", stack), one = simulated("optimizer", stack);
    CHECK(two.timeline_hash == one.timeline_hash);
    CHECK(two.memory[0].peak == one.memory[0].peak);
    CHECK(held(two, program::MemoryClass::gradients) == held(one, program::MemoryClass::gradients));
    CHECK(std::ranges::any_of(two.notes, [](const std::string& note) {
      return note.find("keeps gradients whole through the step and reduces once") != std::string::npos;
    }));
    CHECK(two.notes.size() == one.notes.size() + 1);
  }
  // torchtitan: in a pipeline only.
  const std::string pipeline = "data: 4, pipeline: 2";
  CHECK(simulated("gradients", "torchtitan-2025", pipeline).timeline_hash ==
        simulated("optimizer", "torchtitan-2025", pipeline).timeline_hash);
  CHECK(reductions(simulated("gradients", "torchtitan-2025")).count == kMicroBatches * (kLayers + 2));
}

// Two pipeline ranks of two chunks, four micro-batches: a rank runs the backward passes of a chunk in two groups of two
// (interleaved 1F1B: groups of as many micro-batches as there are ranks), so that each chunk is reduced twice.
TEST_CASE("ZeRO-2 behind each group of passes: reduced once a group, whole while the group runs") {
  const std::string layout = "data: 4, pipeline: 2, virtual: 2",
                    of = "{type: llm-foundry, communication: {gradient_shards: ";
  const report::RunResult pass = simulated("gradients", of + "each_pass}}", layout, 16, "interleaved_1f1b"),
                          group = simulated("gradients", of + "each_group}}", layout, 16, "interleaved_1f1b"),
                          end = simulated("gradients", of + "at_end}}", layout, 16, "interleaved_1f1b");
  const std::int64_t n = group.stages[0].parameters + group.stages[2].parameters;
  const auto sent = [](const report::RunResult& run) { return reductions(run, 0).sent; };
  CHECK(sent(pass) == 4 * 2 * n * 3 / 4);
  CHECK(sent(group) == 2 * 2 * n * 3 / 4);
  CHECK(sent(end) == 2 * n * 3 / 4);
  CHECK(held(group, program::MemoryClass::gradients) == 2 * n / 4);
  CHECK(held(end, program::MemoryClass::gradients) == 2 * n);
  // Rank 0 begins with chunk 1 (stage 2): its gradients are whole from the first pass of the first group on, and gone
  // at the end. Messages of the pipeline lie beside them.
  const std::int64_t chunk = 2 * group.stages[2].parameters, messages = 8 * 1024 * kHidden * 2;
  const auto buffers_at = [&](std::int64_t time) {
    std::int64_t bytes = 0;
    for (const engine::MemorySample& sample : engine::memory_curve(group.program, group.timeline, 0))
      if (sample.time <= time) bytes = sample.bytes[static_cast<std::size_t>(program::MemoryClass::buffers)];
    return bytes;
  };
  const auto start_of = [&](std::int32_t micro_batch) {
    const engine::OperationTimes times = engine::operation_times(group.program, group.timeline);
    for (std::size_t i = 0; i < group.program.operations.size(); ++i) {
      const program::Operation& op = group.program.operations[i];
      if (op.device == 0 && op.activity == program::Activity::backward && op.stage == 2 &&
          op.micro_batch == micro_batch)
        return times.start[i];
    }
    return std::int64_t{-1};
  };
  CHECK(buffers_at(start_of(0) - 1) <= messages);
  CHECK(buffers_at(start_of(1) - 1) >= chunk);
  CHECK(buffers_at(start_of(1) - 1) <= chunk + messages);
  CHECK(buffers_at(group.timeline.makespan.value) == 0);
  CHECK(group.memory[0].peak < end.memory[0].peak);
}

}  // namespace orrery::scenario::zero2_test
