// What the optimizer reads, writes and holds, and what tells ranks apart: figures of a step counted by hand.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "orrery/report/run_result.hpp"
#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::exact_test {

using program::MemoryClass;

namespace {

Scenario scenario_of(const std::string& text) {
  auto scenario = read_scenario_text(text, "test.yaml");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  return std::move(scenario).value();
}
report::RunResult run_of(const Scenario& scenario, const RunOptions& options = {}) {
  auto run = resolve_and_simulate(scenario, options);
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  CHECK(run->books.empty());
  return std::move(run).value();
}

// 1 GPU or 8 data-parallel ones of gpt2, and a stack whose figures all differ.
std::string gpt2(int data, const std::string& training, const std::string& optimizer) {
  return fmt::format(
      "model: gpt2\ncluster: {{type: selene, nodes: 1, gpus: {0}}}\nlayout: {{data: {0}}}\n"
      "training: {{sequence_length: 1024, global_batch: 8{1}}}\n"
      "stack: {{type: megatron-2022, optimizer: {{traffic: 34, gradient_traffic: 26, kernels: 0{2}}}}}\nnetwork: "
      "ideal\n",
      data, training, optimizer);
}

const program::TaskTemplate& optimizer_of(const report::RunResult& run) {
  for (const program::TaskTemplate& t : run.program.templates)
    if (t.category == program::Category::optimizer) return t;
  FAIL("no optimizer");
  return run.program.templates.front();
}

// A memory-bound kernel: its floor, and its bytes at a share of the bandwidth, up to a whole picosecond.
std::int64_t memory_time(const Scenario& s, std::int64_t bytes) {
  const double rate = std::min(1.0, s.kernels.memory.efficiency * s.stack.kernels.memory_rate) *
                      static_cast<double>(s.gpu.memory_bandwidth.value);
  return time_from_seconds(seconds(s.kernels.memory.floor) + static_cast<double>(bytes) / rate).value;
}

std::int64_t resident(const report::RunResult& run, MemoryClass memory_class) {
  return run.program.devices[0].resident[static_cast<std::size_t>(memory_class)];
}

}  // namespace

// Every rank goes over all gradients it holds (26 bytes a parameter), and over the states of those it updates (34).
TEST_CASE("the optimizer moves its states and the gradients once") {
  const Scenario one = scenario_of(gpt2(1, "", ""));
  const report::RunResult run = run_of(one);
  const std::int64_t parameters = run.stages[0].parameters;
  CHECK(optimizer_of(run).duration.value == memory_time(one, parameters * (34 + 26)));
  Scenario eight = scenario_of(gpt2(8, "", ""));
  CHECK(optimizer_of(run_of(eight)).duration.value == memory_time(eight, parameters * (34 + 26)));
  eight.layout.zero = layout::Zero::optimizer;
  CHECK(optimizer_of(run_of(eight)).duration.value ==
        memory_time(eight, ceil_div(parameters, 8) * 34 + parameters * 26));
}

// Copies of 16-bit gradients, of the parameters it updates, from its start to its end; none of 32-bit ones.
TEST_CASE("the optimizer holds its copies of 16-bit gradients while it runs") {
  const auto effects = [](int data, const std::string& training, bool sharded) {
    Scenario s = scenario_of(gpt2(data, training, ", gradient_copy_bytes: 6"));
    if (sharded) s.layout.zero = layout::Zero::optimizer;
    const report::RunResult run = run_of(s);
    const program::TaskTemplate& t = optimizer_of(run);
    std::vector<program::MemoryEffect> list;
    for (std::uint32_t i = 0; i < t.effects.count; ++i) list.push_back(run.program.effects[t.effects.first + i]);
    if (list.size() != 2) return std::pair<std::int64_t, std::int64_t>{static_cast<std::int64_t>(list.size()), 0};
    CHECK(list[0].memory_class == MemoryClass::buffers);
    CHECK(list[1].memory_class == MemoryClass::buffers);
    CHECK(!list[0].at_end);
    CHECK(list[1].at_end);
    CHECK(list[0].bytes == -list[1].bytes);
    return std::pair{list[0].bytes, run.stages[0].parameters};
  };
  CHECK(effects(1, "", false).first == 0);
  const auto [whole, parameters] = effects(1, ", gradient_bytes: 2", false);
  CHECK(whole == 6 * parameters);
  CHECK(effects(8, ", gradient_bytes: 2", true).first == 6 * ceil_div(parameters, 8));
}

// 16-bit gradients beside wider ones: only where there are wider ones, and ranks to reduce them with.
TEST_CASE("gradients held in 16 bits beside those that are reduced") {
  const auto held = [](int data, const std::string& training) {
    const report::RunResult run = run_of(scenario_of(gpt2(data, training, ", held_gradient_bytes: 2")));
    return std::pair{resident(run, MemoryClass::gradients), run.stages[0].parameters};
  };
  const std::int64_t parameters = held(1, "").second;
  CHECK(held(8, ", gradient_bytes: 4").first == (4 + 2) * parameters);
  CHECK(held(8, ", gradient_bytes: 2").first == 2 * parameters);
  CHECK(held(1, ", gradient_bytes: 4").first == 4 * parameters);
  CHECK(held(1, ", gradient_bytes: 2").first == 2 * parameters);
}

TEST_CASE("a run is the same to the byte on however many threads its accounts are made") {
  const Scenario scenario = scenario_of(
      "model: gpt2\ncluster: {type: selene, nodes: 2}\nlayout: {tensor: 2, pipeline: 4, data: 2}\n"
      "training: {sequence_length: 1024, global_batch: 32}\nstack: megatron-2024\nnetwork: steady\n");
  RunOptions options;
  options.every_rank = true;
  options.threads = 1;
  const std::string alone = report::to_json(run_of(scenario, options));
  for (const unsigned threads : {2, 7}) {
    options.threads = threads;
    CHECK(report::to_json(run_of(scenario, options)) == alone);
  }
}

// Ranks 0 and 1 are one tensor group, 2 and 3 the other; the links of device 3 are slow. Ranks 0 and 1 differ in
// nothing but the ranks that their gradients are summed with: 2, and 3.
TEST_CASE("ranks are told apart by the calls of their replicas") {
  for (const char* overlap : {"true", "false"}) {
    const Scenario scenario = scenario_of(
        fmt::format("model: gpt2\ncluster: {{type: selene, nodes: 1, gpus: 4}}\nlayout: {{tensor: 2, data: 2}}\n"
                    "training: {{sequence_length: 1024, global_batch: 8, overlap_data: {}}}\nstack: megatron-2022\n"
                    "perturb: [{{device: 3, bandwidth_factor: 0.3}}]\nnetwork: steady\n",
                    overlap));
    RunOptions all;
    all.every_rank = true;
    const report::RunResult folded = run_of(scenario), played = run_of(scenario, all);
    CHECK(folded.timeline.makespan == played.timeline.makespan);
    CHECK(folded.timeline_hash == played.timeline_hash);
    const auto of_rank = [](const report::RunResult& run, std::int32_t rank) {
      for (std::size_t d = 0; d < run.program.devices.size(); ++d)
        if (std::ranges::count(run.program.devices[d].ranks, rank) > 0) return d;
      return run.program.devices.size();
    };
    CHECK(of_rank(folded, 0) != of_rank(folded, 1));
    for (std::int32_t rank = 0; rank < 4; ++rank)
      CHECK(folded.split[of_rank(folded, rank)] == played.split[of_rank(played, rank)]);
  }
}

}  // namespace orrery::scenario::exact_test
