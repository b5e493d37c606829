// Schedules that hold two copies of the model (DualPipe, Chimera): gradients of both copies of a stage are summed.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/schedule/csv.hpp"
#include "orrery/schedule/placement.hpp"
#include "simulated.hpp"

namespace orrery::scenario::copies_test {

namespace {

// Eight sequences a pipeline. Without tied embeddings each rank holds as much as its mirror, and that is half of
// both models.
std::string text_of(std::string_view schedule, std::string_view layout, int gpus, std::string_view training) {
  const int data = layout.find("data: 2") != layout.npos ? 2 : 1;
  return fmt::format(
      "model: {{type: gpt3-125m, tied_embeddings: false}}\ncluster: {{type: selene, nodes: 1, gpus: {}}}\nlayout: "
      "{{{}}}\n"
      "schedule: {}\ntraining: {{sequence_length: 1024, global_batch: {}, gradient_bytes: 4{}}}\nnetwork: ideal\n"
      "stack: {{type: megatron-2024, communication: {{messages: asynchronous, gradient_shards: each_pass}}}}\n",
      gpus, layout, schedule, 8 * data, training);
}

class TextFile {
 public:
  explicit TextFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() / "orrery_copies_test.csv") {
    std::ofstream(path_) << text;
  }
  ~TextFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

struct Sum {
  std::int64_t took = 0, sent = 0, count = 0;
};

// Of the tasks of the name in which a device takes part.
Sum sum_of(const report::RunResult& run, std::string_view name, program::DeviceIndex device) {
  Sum sum;
  for (program::TaskId t = 0; t < run.program.tasks(); ++t) {
    if (run.program.template_of(t).name != name) continue;
    for (std::uint32_t i = run.program.participant_begin[t]; i < run.program.participant_begin[t + 1]; ++i) {
      if (run.program.participants[i].device != device) continue;
      ++sum.count;
      sum.took += run.timeline.end[t] - run.timeline.start[t];
      sum.sent += run.program.template_of(t).bytes_sent.value;
    }
  }
  return sum;
}

std::int64_t alone(Collective kind, std::int64_t bytes, const std::vector<hardware::DeviceId>& ranks) {
  const auto scenario = read_scenario_text(text_of("1f1b", "data: 8", 8, ""), "test.yaml");
  const auto topology = hardware::build_topology(scenario->cluster, 1);
  const auto tuning = network::tuning_for(scenario->cluster);
  return network::unshared_time(network::plan_collective({kind, {bytes}, ranks, {}, {}}, **topology, *tuning),
                                (*topology)->links())
      .value;
}

std::int64_t parameters(const report::RunResult& run) {
  std::int64_t sum = 0;
  for (const program::StageSummary& stage : run.stages) sum += stage.parameters;
  return sum;
}

}  // namespace

// Two pipeline ranks hold the whole model each, so both sum all of its P gradients: 4P bytes over two, of which each
// sends 2 · (2 − 1)/2.
TEST_CASE("the ranks of two copies sum all that they hold, without data parallelism") {
  for (const char* schedule : {"dualpipe", "chimera"}) {
    CAPTURE(schedule);
    const report::RunResult run =
        simulated(text_of(schedule, "pipeline: 2", 2, ", overlap_data: false, micro_batch: 1"));
    const std::int64_t p = parameters(run);
    for (const program::DeviceIndex d : {0u, 1u}) {
      const Sum sum = sum_of(run, "reduce gradients", d);
      CHECK(sum.count == 1);
      CHECK(sum.sent == 4 * p);
      CHECK(sum.took == alone(Collective::all_reduce, 4 * p, {0, 1}));
      CHECK(run.program.devices[d].resident[0] == 2 * p);  // weights of both copies of the half
    }
  }
}

// Four pipeline ranks of two data ranks each: rank = data + 2 · stage. Stages 0 and 3 stand on ranks 0 1 and 6 7.
TEST_CASE("the replicas of a stage in both directions sum together, or shard by shard") {
  const char* layout = "pipeline: 4, data: 2";
  for (const bool overlap : {false, true}) {
    CAPTURE(overlap);
    const std::string training = fmt::format(", micro_batch: 1, overlap_data: {}", overlap);
    const report::RunResult whole = simulated(text_of("chimera", layout, 8, training));
    const std::int64_t outer = whole.stages[0].parameters + whole.stages[3].parameters;
    const std::int64_t inner = whole.stages[1].parameters + whole.stages[2].parameters;
    REQUIRE(outer != inner);
    for (program::DeviceIndex d = 0; d < 4; ++d) {
      const Sum sum = sum_of(whole, "reduce gradients", d);
      const std::int64_t held = d == 0 || d == 3 ? outer : inner;
      CHECK(sum.sent == 4 * held * 2 * 3 / 4);
      if (!overlap && d == 0) CHECK(sum.took == alone(Collective::all_reduce, 4 * held, {0, 1, 6, 7}));
    }
    for (const char* zero : {"optimizer", "gradients", "parameters"}) {
      CAPTURE(zero);
      const report::RunResult run =
          simulated(text_of("dualpipe", fmt::format("{}, zero: {}", layout, zero), 8, training));
      const Sum scatter = sum_of(run, "reduce gradients", 0), sum = sum_of(run, "reduce gradients of replicas", 0);
      // Four micro-batches of each direction, where every backward pass reduces.
      const std::int64_t passes = zero[0] == 'o' ? 1 : 4;
      CHECK(scatter.sent == passes * 4 * outer / 2);
      CHECK(sum.sent == passes * 4 * outer / 2);  // half of it each, of which each sends all
      CHECK(sum.count == scatter.count);
    }
  }
}

TEST_CASE("summing the copies is the same played by every rank and unfused") {
  for (const char* zero : {"none", "gradients", "parameters"}) {
    CAPTURE(zero);
    const std::string text = text_of("dualpipe", fmt::format("pipeline: 4, data: 2, zero: {}", zero), 8,
                                     ", overlap_data: true, micro_batch: 1");
    RunOptions each;
    each.every_rank = true;
    each.fuse = false;
    CHECK(simulated(text).timeline_hash == simulated(text, each).timeline_hash);
  }
}

// Schedules of one's own. Rank 0 ends with stage 1 first, its mirror with stage 0.
TEST_CASE("copies that end with their stages in other orders are summed at the end of the step") {
  for (const char* zero : {"none", "optimizer", "parameters"}) {
    CAPTURE(zero);
    const TextFile csv("0F0,1F0@1,1B0@1,0B0\n0F0@1,1F0,0B0@1,1B0\n");
    const report::RunResult run =
        simulated(text_of("{file: " + csv.path() + "}", fmt::format("pipeline: 2, data: 2, zero: {}", zero), 4,
                          ", overlap_data: true, micro_batch: 4"));
    const bool whole = zero[0] == 'n';
    const Sum sum = sum_of(run, whole ? "reduce gradients" : "reduce gradients of replicas", 0);
    CHECK(sum.count == 1);
    CHECK(sum.sent == (whole ? 4 * parameters(run) * 2 * 3 / 4 : 4 * parameters(run) / 2));
  }
}

TEST_CASE("copies that do not stand on pairs of ranks are refused") {
  const TextFile csv("0F0,2F0@1,2B0@1,0B0\n0F0@1,1F0,1B0,0B0@1\n1F0@1,2F0,2B0,1B0@1\n");
  const auto scenario =
      read_scenario_text(text_of("{file: " + csv.path() + "}", "pipeline: 3", 3, ", micro_batch: 4"), "test.yaml");
  REQUIRE(!scenario.ok());
  CHECK(scenario.errors().front().path == "schedule.file");
  CHECK(scenario.errors().front().message.find("must stand on pairs of ranks") != std::string::npos);
}

TEST_CASE("mirrors: who holds the same stages for the other copy") {
  CHECK(schedule::mirrors(schedule::linear_placement(3)) == std::vector{0, 1, 2});
  CHECK(schedule::mirrors(schedule::bidirectional_placement(4)) == std::vector{3, 2, 1, 0});
  CHECK(schedule::mirrors(schedule::bidirectional_placement(3)) == std::vector{2, 1, 0});
  schedule::Placement round = schedule::bidirectional_placement(3);
  round.rank = {0, 1, 2, 1, 2, 0};  // 0 holds what 1 has a copy of, which holds what 2 has a copy of
  CHECK(schedule::mirrors(round).empty());
}

TEST_CASE("holders of tied parameters: none where one rank has a stage of each, else those of either copy") {
  using Holders = std::vector<std::vector<int>>;
  CHECK(schedule::holders_of(schedule::linear_placement(4), {0, 3}) == Holders{{0, 3}});
  CHECK(schedule::holders_of(schedule::v_placement(2), {0, 3}).empty());
  const schedule::Placement both = schedule::bidirectional_placement(4);
  CHECK(schedule::holders_of(both, {0, 3}).empty());
  CHECK(schedule::holders_of(both, {0, 1}) == Holders{{0, 1}, {3, 2}});
}

}  // namespace orrery::scenario::copies_test
