// Gradient and parameter buckets: how many there are, what each carries, and that together they carry all once.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <numeric>
#include <string_view>

#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::buckets_test {

namespace {

// gpt2 on 8 GPUs, whose gradients of 4 bytes are reduced in buckets beside the last backward pass.
report::RunResult gpt2(const std::string& layout, std::int64_t bucket, const std::string& more = "",
                       const char* schedule = "1f1b") {
  const auto scenario = read_scenario_text(
      fmt::format("model: gpt2\ncluster: {{type: selene, nodes: 1}}\nlayout: {{{}}}\n"
                  "training: {{sequence_length: 1024, global_batch: 16, overlap_data: true{}}}\n"
                  "stack: {{type: megatron-2022, communication: {{bucket: {} B}}}}\nschedule: {}\nnetwork: ideal\n",
                  layout, more, bucket, schedule),
      "test.yaml");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  auto run = resolve_and_simulate(*scenario);
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  CHECK(run->books.empty());
  return std::move(run).value();
}

// Bytes that a rank sends in each task of the name, in order of their start.
std::vector<std::int64_t> sent(const report::RunResult& run, std::string_view name) {
  std::vector<program::TaskId> tasks;
  for (program::TaskId t = 0; t < run.program.tasks(); ++t)
    if (run.program.template_of(t).name == name) tasks.push_back(t);
  std::stable_sort(tasks.begin(), tasks.end(),
                   [&](auto a, auto b) { return run.timeline.start[a] < run.timeline.start[b]; });
  std::vector<std::int64_t> bytes;
  for (const program::TaskId t : tasks) bytes.push_back(run.program.template_of(t).bytes_sent.value);
  return bytes;
}

std::int64_t sum(const std::vector<std::int64_t>& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0});
}

// A block of gpt2: qkv, projection, fc1, fc2 with biases, and two norms.
constexpr std::int64_t h = 768, kBlock = 3 * h * h + 3 * h + h * h + h + 4 * h * h + 4 * h + 4 * h * h + h + 4 * h;

}  // namespace

// All-reduce of S among 8 sends 2 · 7/8 · S from each.
TEST_CASE("an all-reduce of each bucket, once it is full") {
  const report::RunResult whole = gpt2("data: 8", 1LL << 40);
  const std::int64_t parameters = whole.stages[0].parameters;
  CHECK(sent(whole, "reduce gradients") == std::vector<std::int64_t>{parameters * 4 * 2 * 7 / 8});
  // A bucket of a block's gradients is full once a block's last product (of qkv, and then the norm) is done.
  for (const std::int64_t bucket : {kBlock * 4, kBlock * 2, std::int64_t{1'000'000}}) {
    const std::vector<std::int64_t> parts = sent(gpt2("data: 8", bucket), "reduce gradients");
    CAPTURE(bucket);
    CHECK(sum(parts) == parameters * 4 * 2 * 7 / 8);
    CHECK(parts.size() > 10);
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) CHECK(parts[i] >= bucket * 2 * 7 / 8);
  }
}

// Reduce-scatter and all-gather of S among 8 send 7/8 · S. Parameters travel in 2 bytes.
TEST_CASE("a sharded optimizer scatters gradients and gathers parameters, each in buckets") {
  const report::RunResult run = gpt2("data: 8, zero: optimizer", kBlock * 2);
  const std::int64_t parameters = run.stages[0].parameters;
  const auto gradients = sent(run, "reduce gradients"), gathers = sent(run, "gather parameters");
  CHECK(sum(gradients) == parameters * 4 * 7 / 8);
  CHECK(sum(gathers) == parameters * 2 * 7 / 8);
  for (std::size_t i = 0; i + 1 < gathers.size(); ++i) CHECK(gathers[i] >= kBlock * 2 * 7 / 8);
  // Buckets of a block: the embedding, twelve blocks, the final norm with the last.
  CHECK(gathers.size() == 14);
  CHECK(gathers[1] == kBlock * 2 * 7 / 8);
}

// Two pipeline ranks, one micro-batch more than stages: only the last micro-batch reduces.
TEST_CASE("gradients are reduced once a step, whatever the micro-batches") {
  for (const int micro_batch : {1, 2}) {
    const report::RunResult run =
        gpt2("pipeline: 2, data: 4", 1LL << 40, fmt::format(", micro_batch: {}", micro_batch));
    std::int64_t parameters = 0;
    for (const program::StageSummary& stage : run.stages) parameters += stage.parameters;
    CHECK(sent(run, "reduce gradients").size() == 2);
    CHECK(sum(sent(run, "reduce gradients")) == parameters * 4 * 2 * 3 / 4);
  }
}

// Where the backward pass is split, gradients are there once W has run.
TEST_CASE("schedules that split the backward pass reduce behind their weight gradients") {
  for (const char* zero : {"none", "optimizer"}) {
    const report::RunResult run = gpt2(fmt::format("pipeline: 2, data: 4, zero: {}", zero), 1LL << 40, "", "zb_h1");
    std::int64_t parameters = 0, last_weight = 0;
    for (const program::StageSummary& stage : run.stages) parameters += stage.parameters;
    const bool sharded = std::string_view(zero) == "optimizer";
    CHECK(sum(sent(run, "reduce gradients")) == parameters * 4 * (sharded ? 1 : 2) * 3 / 4);
    const engine::OperationTimes times = engine::operation_times(run.program, run.timeline);
    for (std::size_t i = 0; i < run.program.operations.size(); ++i)
      if (run.program.operations[i].activity == program::Activity::weight_gradient &&
          run.program.operations[i].device == 0)
        last_weight = std::max(last_weight, times.end[i]);
    for (program::TaskId t = 0; t < run.program.tasks(); ++t)
      if (run.program.template_of(t).name == std::string_view("reduce gradients") &&
          run.program.participant(t).device == 0)
        CHECK(run.timeline.start[t] >= last_weight);
  }
}

}  // namespace orrery::scenario::buckets_test
