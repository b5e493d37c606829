// The main job end to end: ways of simulating that must not change the result, and closed forms it must meet.
#include "orrery/scenario/simulate.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>

#include "orrery/core/random.hpp"
#include "simulated.hpp"

namespace orrery::scenario::simulate_test {

namespace {

// What each rank does and holds, whoever stands for it.
struct RankView {
  engine::Breakdown split{};
  std::int64_t peak = 0, reserved = 0;
  program::MemoryByClass at_peak{};
  int stage = 0;
  friend bool operator==(const RankView&, const RankView&) = default;
};

std::map<std::int32_t, RankView> by_rank(const report::RunResult& run) {
  std::map<std::int32_t, RankView> view;
  for (std::size_t d = 0; d < run.program.devices.size(); ++d)
    for (const std::int32_t rank : run.program.devices[d].ranks)
      view[rank] = {run.split[d], run.memory[d].peak, run.reserved[d], run.memory[d].at_peak,
                    run.program.devices[d].pipeline_rank()};
  return view;
}

std::string text_of(const std::string& model, const std::string& layout, int nodes, int batch,
                    const std::string& more) {
  return fmt::format(
      "model: {}\ncluster: {{type: selene, nodes: {}}}\nlayout: {{{}}}\ntraining: {{sequence_length: 1024, "
      "global_batch: {}{}}}\nnetwork: steady\n",
      model, nodes, layout, batch, more);
}

void check_every_way(const std::string& text) {
  CAPTURE(text);
  const report::RunResult folded = simulated(text);
  CHECK(folded.books.empty());
  for (const bool every_rank : {false, true})
    for (const bool fuse : {false, true})
      for (const bool events : {false, true}) {
        CAPTURE(fmt::format("every rank {} fuse {} events {}", every_rank, fuse, events));
        const report::RunResult other = simulated(text, {every_rank, fuse, events});
        CHECK(other.timeline.makespan == folded.timeline.makespan);
        CHECK(other.timeline_hash == folded.timeline_hash);
        CHECK(by_rank(other) == by_rank(folded));
        CHECK(other.flops.model.total() == folded.flops.model.total());
        CHECK(other.schedule_bubbles.busy == folded.schedule_bubbles.busy);
        CHECK(other.books.empty());
      }
}

}  // namespace

TEST_CASE("folded or every rank, fused or not, one pass or events: the result is the same") {
  check_every_way(text_of("{type: gpt3-1.3b}", "tensor: 2, pipeline: 2, data: 2", 1, 8, ", recompute: full"));
  check_every_way(text_of("{type: gpt3-1.3b}", "tensor: 2, pipeline: 4, data: 2, virtual: 2, sequence_parallel: true",
                          2, 16, ", recompute: selective"));
  check_every_way(
      text_of("{type: gpt3-1.3b}", "tensor: 4, pipeline: 1, data: 2, zero: optimizer", 1, 8, ", overlap_data: true"));
  check_every_way(
      text_of("{type: gpt3-1.3b}", "data: 8, zero: parameters", 1, 16, ", overlap_data: true, recompute: full"));
  check_every_way(text_of("{type: gpt3-1.3b}", "tensor: 2, data: 4, zero: parameters", 1, 16, ", overlap_data: true") +
                  "stack: {type: megatron-2024, communication: {data_slowdown_percent: 125}}\n");
}

// Two steps: each rank begins the second when it has ended the first.
TEST_CASE("the same holds where work crosses from a step to the next") {
  const std::string validated = "stack: {type: megatron-2024, optimizer: {post_validation: always}}\n";
  check_every_way(text_of("{type: gpt3-350m}", "tensor: 2, pipeline: 4, data: 1", 1, 8, "") + validated +
                  "schedule: zb_h1\n");
  check_every_way(
      text_of("{type: gpt3-350m}", "tensor: 2, pipeline: 2, data: 2, zero: optimizer", 1, 8, ", overlap_data: true") +
      validated + "schedule: zb_h2\n");
  check_every_way(text_of("{type: gpt3-350m}", "pipeline: 4, data: 2, virtual: 2", 1, 16, "") + validated +
                  "schedule: zbv\n");
  check_every_way(text_of("{type: gpt3-350m}", "pipeline: 4, data: 2", 1, 16, "") +
                  "stack: {type: megatron-2022, optimizer: {post_validation: always}}\n");  // blocking messages
}

TEST_CASE("the same holds where forward and backward passes run together") {
  for (const int percent : {0, 60, 100}) {
    const std::string stack =
        fmt::format("stack: {{type: megatron-2024, communication: {{pass_overlap_percent: {}}}}}\n", percent);
    check_every_way(text_of("{type: gpt3-350m}", "tensor: 4, pipeline: 2, data: 1, virtual: 2", 1, 16, "") + stack +
                    "schedule: dualpipev\n");
    check_every_way(text_of("{type: gpt3-350m}",
                            "tensor: 2, pipeline: 2, data: 2, virtual: 2, zero: optimizer, sequence_parallel: true", 1,
                            16, ", overlap_data: true, overlap_tensor: true") +
                    stack + "schedule: interleaved_1f1b_overlap\n");
    // Layers are gathered for both halves.
    check_every_way(text_of("{type: gpt3-350m}", "pipeline: 2, data: 4, virtual: 2, zero: parameters", 1, 32,
                            ", overlap_data: true") +
                    stack + "schedule: dualpipev\n");
  }
}

TEST_CASE("overlapped operations hide the communication the stack says they do, and no compute") {
  const auto at = [](int percent) {
    return simulated(text_of("{type: gpt3-1.3b}", "tensor: 8, pipeline: 2, data: 1, virtual: 2", 2, 32, "") +
                     fmt::format("schedule: dualpipev\nstack: {{type: megatron-2024, communication: "
                                 "{{pass_overlap_percent: {}}}}}\n",
                                 percent));
  };
  const report::RunResult none = at(0), half = at(50), all = at(100);
  CHECK(half.timeline.step_time < none.timeline.step_time);
  CHECK(all.timeline.step_time < half.timeline.step_time);
  const auto share = [](const report::RunResult& run, program::Category c) {
    return run.split[0][static_cast<std::size_t>(c)];
  };
  CHECK(share(all, program::Category::compute) == share(none, program::Category::compute));
  CHECK(share(all, program::Category::tensor_comm) < share(none, program::Category::tensor_comm) / 2);
  CHECK(all.books.empty());
}

TEST_CASE("the same holds on random layouts") {
  Random random(20261121);
  for (int i = 0; i < 12; ++i) {
    const int tensor = 1 << random.below(3), pipeline = 1 << random.below(3), data = 1 << random.below(2);
    const int ranks = tensor * pipeline * data;
    const int nodes = ranks > 8 ? ranks / 8 : 1;
    const char* zero[] = {"none", "optimizer", "gradients"};
    const char* recompute[] = {"none", "selective", "full"};
    std::string text =
        text_of("{type: gpt3-350m, vocab: 51200}",
                fmt::format("tensor: {}, pipeline: {}, data: {}, sequence_parallel: {}, zero: {}", tensor, pipeline,
                            data, tensor > 1 && random.below(2) == 1, zero[random.below(3)]),
                nodes, data * static_cast<int>(4 + random.below(5)),
                fmt::format(", recompute: {}, overlap_data: {}, overlap_tensor: {}", recompute[random.below(3)],
                            random.below(2) == 1, random.below(2) == 1));
    if (ranks < 8) text.replace(text.find("nodes: 1"), 8, fmt::format("nodes: 1, gpus: {}", ranks));
    check_every_way(text);
  }
}

// Korthikanti et al. 2022, table 2, times the micro-batches in flight on the first stage (min(m, p)) and its layers,
// plus the dropout mask of the embedding (s·b·h, divided by t under sequence parallelism).
TEST_CASE("activations of the first stage equal the closed forms to the byte") {
  const std::int64_t s = 1024, h = 2048, a = 16, t = 4, p = 2, layers = 24;
  struct Case {
    const char *layout, *recompute;
    std::int64_t per_layer, mask;
  };
  const std::int64_t unit = s * h;
  for (const Case& c : {Case{"sequence_parallel: false", "none", unit * 10 + unit * 24 / t + 5 * a * s * s / t, unit},
                        Case{"sequence_parallel: true", "none", unit * 34 / t + 5 * a * s * s / t, unit / t},
                        Case{"sequence_parallel: false", "selective", unit * 10 + unit * 24 / t, unit},
                        Case{"sequence_parallel: true", "selective", unit * 34 / t, unit / t},
                        Case{"sequence_parallel: false", "full", 2 * unit, unit},
                        Case{"sequence_parallel: true", "full", 2 * unit / t, unit / t}}) {
    CAPTURE(fmt::format("{} {}", c.layout, c.recompute));
    const auto run = simulated(text_of("{type: gpt3-1.3b, hidden: 2048, heads: 16, ffn_hidden: 8192}",
                                       fmt::format("tensor: 4, pipeline: 2, {}", c.layout), 1, 8,
                                       fmt::format(", recompute: {}, attention: unfused", c.recompute)) +
                               "stack: megatron-2022\n");
    std::int64_t most = 0;
    CHECK(engine::memory_curve(run.program, run.timeline, 0).front().time == 0);
    for (const auto& sample : engine::memory_curve(run.program, run.timeline, 0))
      most = std::max(most, sample.bytes[static_cast<std::size_t>(program::MemoryClass::activations)]);
    CHECK(most == p * (layers / p * c.per_layer + c.mask));
  }
}

TEST_CASE("model FLOPs equal Korthikanti equation 7, hardware FLOPs with full recompute SC'21 equation 3") {
  // 72 B l s h² (1 + s/(6h) + V/(12 h l)) = 72 B l s h² + 12 B l s² h + 6 B s h V
  const Int128 b = 8, l = 24, s = 1024, h = 2048, v = 50688;  // 50257 padded to a multiple of 128 · 4
  const auto run =
      simulated(text_of("gpt3-1.3b", "tensor: 4, pipeline: 2", 1, 8, ", recompute: full, attention: unfused") +
                "stack: megatron-2022\n");
  CHECK(run.flops.model.total() == 72 * b * l * s * h * h + 12 * b * l * s * s * h + 6 * b * s * h * v);
  // 96 B l s h² (1 + s/(6h) + V/(16 l h)) = 96 B l s h² + 16 B l s² h + 6 B s h V
  CHECK(run.flops.executed.total() == 96 * b * l * s * h * h + 16 * b * l * s * s * h + 6 * b * s * h * v);
}

// A gather asked for one layer ahead must not stand behind the reduction of the layer before: with compute far longer
// than communication, all but the first gathers and the last reductions hide.
TEST_CASE("FSDP hides gathers behind the layer before in both passes") {
  const report::RunResult run = simulated(text_of("{type: gpt3-1.3b}", "data: 8, zero: parameters", 1, 64,
                                                  ", micro_batch: 8, overlap_data: true, recompute: full") +
                                          "stack: {type: llm-foundry, communication: {data_slowdown_percent: 100}}\n");
  const auto share = [&](program::Category c) {
    return static_cast<double>(run.split[0][static_cast<std::size_t>(c)]) /
           static_cast<double>(run.timeline.makespan.value);
  };
  CHECK(share(program::Category::compute) > 0.6);
  CHECK(share(program::Category::data_comm) < 0.03);
}

TEST_CASE("traffic beside the kernels slows them down by the stack's factor while it is in flight") {
  const auto at = [](int percent) {
    return simulated(
        text_of("{type: gpt3-1.3b}", "data: 8, zero: parameters", 1, 16, ", overlap_data: true") +
        fmt::format("stack: {{type: llm-foundry, communication: {{data_slowdown_percent: {}}}}}\n", percent));
  };
  const report::RunResult none = at(100), some = at(110), more = at(150);
  CHECK(none.timeline.makespan < some.timeline.makespan);
  CHECK(some.timeline.makespan < more.timeline.makespan);
  const auto compute = [](const report::RunResult& run) { return run.split[0][0]; };
  CHECK(compute(some) <= compute(none) * 110 / 100 + 1000);  // at most the factor, rounded up at each change
  CHECK(compute(some) > compute(none));
  CHECK(some.timeline.one_pass == false);
}

TEST_CASE("a schedule that blocking messages stop is refused with the rank that stands still and the remedy") {
  const auto scenario = read_scenario_text(
      text_of("gpt3-1.3b", "pipeline: 4, data: 2, virtual: 2", 1, 16, "") + "schedule: zbv\nstack: megatron-2022\n",
      "test.yaml");
  REQUIRE(!scenario.ok());
  CHECK(scenario.errors().size() == 1);
  CHECK(scenario.errors()[0].path == "schedule.type");
  CHECK(scenario.errors()[0].message.rfind("zbv deadlocks with the blocking messages of megatron-2022: rank 0", 0) ==
        0);
  CHECK(scenario.errors()[0].help ==
        "choose a stack with asynchronous messages, or say stack: {type: megatron-2022, communication: {messages: "
        "asynchronous}}");
}

// torchtitan keeps FSDP's parameters whole in a pipeline: 16 bits of them and fp32 gradients beside the shards, which
// are fp32 parameters and two moments (12 bytes): one gather and one reduction a step, whatever the number of
// micro-batches.
TEST_CASE("FSDP in a pipeline keeps parameters and gradients whole where the stack says so") {
  const auto bytes = [](const std::string& stack, program::MemoryClass of) {
    const report::RunResult run =
        simulated(text_of("gpt3-125m", "pipeline: 2, data: 4, zero: parameters", 1, 32, "") + stack);
    return run.program.devices[0].resident[static_cast<std::size_t>(of)];
  };
  const std::string whole = "stack: torchtitan-2025\n",
                    sharded = "stack: {type: torchtitan-2025, communication: {reshard_in_pipeline: true}}\n";
  const std::int64_t weights = bytes(whole, program::MemoryClass::weights);
  const std::int64_t parameters = weights / 2;
  CHECK(bytes(whole, program::MemoryClass::gradients) == 4 * parameters);
  CHECK(bytes(whole, program::MemoryClass::optimizer) == 12 * parameters / 4);
  // Sharded, 16 bytes in all: parameters 4, gradients 4, moments 8.
  CHECK(bytes(sharded, program::MemoryClass::weights) == 4 * parameters / 4);
  CHECK(bytes(sharded, program::MemoryClass::gradients) == 4 * parameters / 4);
  CHECK(bytes(sharded, program::MemoryClass::optimizer) == 8 * parameters / 4);
}

// (weights, gradients, optimizer) in bytes per parameter of a rank.
TEST_CASE("bytes per parameter: 16 or 18, and 16 where the parameters are the fp32 masters") {
  struct Row {
    const char *stack, *zero;
    int data;
    std::int64_t eighths[3];  // of a byte per parameter, over 8 ranks
  };
  const Row rows[] = {{"megatron-2024", "none", 8, {16, 32, 96}},       {"megatron-2024", "optimizer", 8, {16, 32, 12}},
                      {"nemo-2024", "none", 8, {16, 16, 96}},           {"llm-foundry", "parameters", 8, {2, 2, 12}},
                      {"torchtitan-2024", "none", 8, {32, 32, 64}},     {"torchtitan-2025", "parameters", 8, {4, 4, 8}},
                      {"torchtitan-2025", "optimizer", 8, {16, 32, 12}}};
  for (const Row& row : rows) {
    CAPTURE(row.stack);
    const report::RunResult run =
        simulated(text_of("gpt3-125m", fmt::format("data: 8, zero: {}", row.zero), 1, 32, "") +
                  fmt::format("stack: {}\n", row.stack));
    const program::MemoryByClass& resident = run.program.devices[0].resident;
    const std::int64_t parameters = run.stages[0].parameters;
    for (std::size_t c = 0; c < 3; ++c) CHECK(resident[c] == parameters * row.eighths[c] / 8);
  }
}

// The same step on GPUs of other sizes: below its peak it cannot run, above what it reserves it fits, between the two
// only what the allocator gives back can make room.
TEST_CASE("what fits only by giving cached memory back is said, and is no failure") {
  report::RunResult run = simulated(text_of("gpt3-1.3b", "data: 8", 1, 32, "") + "stack: llm-foundry\n");
  const std::int64_t peak = run.memory[0].peak, reserved = run.reserved[0];
  REQUIRE(reserved > peak + (std::int64_t{64} << 20));
  const auto verdict = [&](std::int64_t capacity) {
    run.usable_memory = Bytes{capacity} + run.context_memory;
    run.memory = engine::memory_of(run.program, run.timeline, {capacity});
    for (std::size_t d = 0; d < run.memory.size(); ++d) run.reserved[d] = run.memory[d].reserved;
    return report::metrics_of(run).verdict;
  };
  CHECK(verdict(reserved) == report::Verdict::fits);
  CHECK(verdict(peak - 1) == report::Verdict::does_not_fit);
  int by_releasing = 0;
  report::Verdict before = report::Verdict::fits;
  for (std::int64_t capacity = reserved - 1; capacity > peak; capacity -= (reserved - peak) / 16) {
    const report::Verdict now = verdict(capacity);
    CHECK(now != report::Verdict::fits);
    CHECK(now >= before);  // less room is never better
    before = now;
    by_releasing += now == report::Verdict::fits_by_releasing ? 1 : 0;
  }
  CHECK(by_releasing > 0);
}

// nanotron: fp32 gradients, and the 16-bit buckets of distributed data parallel where there is any.
TEST_CASE("16-bit gradients are held beside fp32 ones where the stack says so") {
  for (const int data : {1, 8}) {
    const report::RunResult run = simulated(
        text_of("gpt3-125m", data == 1 ? "data: 1, tensor: 4, pipeline: 2" : "data: 8", 1, 32, ", gradient_bytes: 4") +
        "stack: nanotron\n");
    const program::MemoryByClass& resident = run.program.devices[0].resident;
    const std::int64_t parameters = resident[static_cast<std::size_t>(program::MemoryClass::weights)] / 2;
    CHECK(resident[static_cast<std::size_t>(program::MemoryClass::gradients)] == parameters * (data > 1 ? 6 : 4));
  }
}

// A searched schedule sees the real stages: the last holds the head of 50 304 words beside its 3 layers, so that with
// cap p the search for unit times (what it was given before) is no better.
TEST_CASE("the search for a zero-bubble schedule is given the times of the stages") {
  const std::string base = text_of("gpt3-125m", "pipeline: 4, data: 1, tensor: 2", 1, 16, "");
  const report::RunResult run = simulated(base + "schedule: {type: zb_auto, memory_cap: 8}\n");
  const report::RunResult plain = simulated(base + "schedule: 1f1b\n");
  CHECK(run.timeline.makespan < plain.timeline.makespan);
  for (const program::StageSummary& stage : run.stages) {
    CHECK(stage.input_gradient.value > 0);
    CHECK(stage.input_gradient + stage.weight_gradient <= stage.backward + Time{stage.backward.value / 20});
  }
  CHECK(run.books.empty());
}

// The step before is taken out of what is reported: more steps before it change nothing, and a device's time is that of
// one step.
TEST_CASE("a third step takes as long as the second where work crosses between them, and as a fifth and a sixth") {
  for (const char* schedule : {"1f1b", "zb_h1", "zb_h2", "{type: zb_auto, memory_cap: 8}", "interleaved_1f1b", "zbv"}) {
    CAPTURE(schedule);
    const bool chunked = std::string(schedule) == "interleaved_1f1b" || std::string(schedule) == "zbv";
    const std::string base =
        text_of("{type: gpt3-350m}", fmt::format("pipeline: 4, data: 2{}", chunked ? ", virtual: 2" : ""), 1, 32, "") +
        fmt::format("schedule: {}\n", schedule);
    const auto with = [&](const char* when, int steps) {
      RunOptions options;
      options.steps = steps;
      return simulated(base + fmt::format("stack: {{type: megatron-2024, communication: {{embedding_reduce: false}}, "
                                          "optimizer: {{post_validation: {}}}}}\n",
                                          when),
                       options);
    };
    const report::RunResult never = with("never", 0), always = with("always", 0), two = with("always", 2),
                            five = with("always", 5), six = with("always", 6);
    CHECK(never.program.steps == 1);
    CHECK(always.program.steps == 4);
    CHECK(always.timeline.step_time < never.timeline.step_time);
    CHECK(two.timeline.step_time == always.timeline.step_time);
    CHECK(six.timeline.step_time == always.timeline.step_time);
    CHECK(five.timeline.step_time == always.timeline.step_time);
    CHECK(five.split == always.split);
    for (std::size_t d = 0; d < always.memory.size(); ++d) {
      CHECK(five.memory[d].peak == always.memory[d].peak);
      CHECK(always.memory[d].peak >= never.memory[d].peak);  // messages of the next step may have come already
    }
    CHECK(always.books.empty());
    for (const auto c : {program::Category::compute, program::Category::optimizer})
      for (std::size_t d = 0; d < always.split.size(); ++d)
        CHECK(always.split[d][static_cast<std::size_t>(c)] == never.split[d][static_cast<std::size_t>(c)]);
  }
}

TEST_CASE("only schedules that split the backward pass are validated after the fact where the stack says so") {
  const auto steps = [](const char* schedule) {
    return simulated(text_of("{type: gpt3-125m}", "pipeline: 4, data: 2", 1, 16, "") +
                     fmt::format("schedule: {}\nstack: megatron-2023\n", schedule))
        .program.steps;
  };
  CHECK(steps("1f1b") == 1);
  CHECK(steps("zb_h1") == 4);
  CHECK(simulated(text_of("{type: gpt3-125m}", "pipeline: 1, data: 8", 1, 16, "") +
                  "schedule: zb_h1\nstack: megatron-2023\n")
            .program.steps == 1);
}

// A sharded optimizer's parameters are gathered beside the next step's first forward passes; the gather is played at
// the start of the same step. A second step, with the gather behind the optimizer that it waits for, takes as long:
// what is left is that stages with a shorter optimizer begin earlier.
TEST_CASE("the gather at the start of a step stands for that of the step before") {
  for (const char* layout : {"tensor: 2, pipeline: 1, data: 4", "tensor: 1, pipeline: 4, data: 2",
                             "tensor: 2, pipeline: 2, data: 2, virtual: 2"}) {
    CAPTURE(layout);
    const std::string text =
        text_of("{type: gpt3-1.3b}", fmt::format("{}, zero: optimizer", layout), 1, 32, ", overlap_data: true");
    RunOptions two;
    two.steps = 2;
    const report::RunResult one_step = simulated(text), second = simulated(text, two);
    CHECK(one_step.program.steps == 1);
    CHECK(second.program.steps == 2);
    CHECK(second.books.empty());
    CHECK(second.timeline.step_time <= one_step.timeline.step_time);
    CHECK(second.timeline.step_time.value > one_step.timeline.step_time.value / 1000 * 995);
  }
}

TEST_CASE("a stack may add to each step that a ring of tensor ranks makes between nodes") {
  const auto at = [](int tensor, const char* step) {
    return simulated(text_of("gpt3-350m", fmt::format("tensor: {}", tensor), tensor / 8, 4, ", micro_batch: 1") +
                     fmt::format("stack: {{type: megatron-2022, launch: {{mode: graph}}, communication: "
                                 "{{network_step: {}}}}}\n",
                                 step))
        .timeline.makespan.value;
  };
  // Ring of 16 ranks on two nodes: two steps between nodes. A micro-batch makes 4 calls a layer, one after the
  // embedding, 3 in the loss, one behind the head.
  const std::int64_t calls = 4 * (4 * 24 + 1 + 3 + 1), ms = 1'000'000'000;
  CHECK(at(16, "1 ms") - at(16, "0 ms") == 2 * calls * ms);
  CHECK(at(8, "1 ms") == at(8, "0 ms"));
}

TEST_CASE("parameters of a sharded optimizer are gathered beside the passes or behind the update") {
  const auto text = [](bool beside) {
    return text_of("gpt3-350m", "data: 16, zero: optimizer", 2, 32, ", micro_batch: 1, overlap_data: true") +
           fmt::format("stack: {{type: megatron-2024, communication: {{overlap_gather: {}}}}}\n", beside);
  };
  check_every_way(text(false));
  CHECK(simulated(text(false)).timeline.makespan > simulated(text(true)).timeline.makespan);
}

// Launches take longer than kernels: with messages beside compute the last stage's host launches from the start, m(F+B)
// in all; where it waits for each message it begins a stage later, (m + 1)(F + B).
TEST_CASE("the host launches nothing ahead of a blocking message") {
  const auto at = [](const char* messages) {
    const auto run = simulated(
        text_of("gpt3-350m", "pipeline: 2, data: 4", 1, 16, ", micro_batch: 1") +
        fmt::format("stack: {{type: megatron-2022, launch: {{per_kernel: 2 ms, per_kernel_backward: 2 ms, per_step: 0 "
                    "s}}, communication: {{messages: {}}}}}\n",
                    messages));
    return static_cast<double>(run.timeline.makespan.value);
  };
  const double ahead = at("asynchronous"), waiting = at("blocking");
  CHECK(waiting > ahead * 1.2);
  CHECK(waiting < ahead * 1.3);
}

}  // namespace orrery::scenario::simulate_test
