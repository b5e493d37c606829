// Stages on other ranks than in a row: a schedule file says where each stands, and messages take the links between.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "../schedule/drawn.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/schedule/csv.hpp"
#include "resolved.hpp"

namespace orrery::scenario::stage_places_test {

namespace {

// A file of its own for each test that runs at the same time.
class File {
 public:
  explicit File(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("orrery-stage-places-{:016x}.csv", std::hash<std::string>{}(text))) {
    std::ofstream(path_) << text;
  }
  ~File() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

schedule::Schedule made(const char* name, int ranks, int chunks, int micro_batches) {
  const auto result = schedule::make_schedule(
      {.name = name, .ranks = ranks, .chunks = chunks, .micro_batches = micro_batches, .times = {}});
  REQUIRE(result.ok());
  return *result;
}

// Row r of the schedule becomes row to[r].
std::string rows(const schedule::Schedule& schedule, const std::vector<int>& to) {
  schedule::Schedule moved = schedule;
  for (std::size_t r = 0; r < to.size(); ++r) moved.order[static_cast<std::size_t>(to[r])] = schedule.order[r];
  return schedule::to_csv(moved);
}

report::RunResult simulated(const std::string& csv, const std::string& more, const RunOptions& options = {}) {
  const File file(csv);
  const auto scenario = read_scenario_text(
      fmt::format("model: gpt3-350m\ntraining: {{sequence_length: 1024, global_batch: 8}}\nschedule: {{file: {}}}\n{}",
                  file.path(), more),
      "test.yaml");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  auto run = resolve_and_simulate(*scenario, options);
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  CHECK(run->books.empty());
  return std::move(run).value();
}

// Durations of the messages between two pipeline ranks, each once.
using Durations = std::map<std::pair<int, int>, std::vector<std::int64_t>>;
Durations messages_of(const report::RunResult& run) {
  Durations result;
  for (program::TaskId t = 0; t < run.program.tasks(); ++t) {
    const program::TaskTemplate& of = run.program.template_of(t);
    if (of.lane != program::Lane::pipeline_send) continue;
    const program::Participant* ends = &run.program.participant(t);
    auto& times = result[{run.program.devices[ends[0].device].pipeline_rank(),
                          run.program.devices[ends[1].device].pipeline_rank()}];
    const std::int64_t took = run.timeline.end[t] - run.timeline.start[t];
    if (std::find(times.begin(), times.end(), took) == times.end()) times.push_back(took);
  }
  return result;
}

}  // namespace

// Each stage fills a node, so all pairs of ranks have links alike; stage 0 and 3 share their tied embeddings from
// wherever they stand.
TEST_CASE("a schedule file whose stages do not stand in a row takes as long") {
  const schedule::Schedule in_row = made("1f1b", 4, 1, 8);
  for (const char* way : {"network: ideal", "network: steady", "network: flows",
                          "stack: {type: megatron-2024, communication: {messages: blocking}}",
                          "stack: {type: megatron-2024, communication: {messages: serialised}}",
                          "stack: {type: megatron-2024, communication: {scatter_gather_messages: true}}"}) {
    CAPTURE(way);
    const std::string more =
        fmt::format("cluster: {{type: dgx-h100, nodes: 4}}\nlayout: {{tensor: 8, pipeline: 4, data: 1}}\n{}\n{}", way,
                    std::string(way).find("stack") == 0 ? "network: steady" : "stack: megatron-2024");
    const report::RunResult first = simulated(rows(in_row, {0, 1, 2, 3}), more);
    for (std::vector<int> to = {0, 1, 3, 2}; std::next_permutation(to.begin(), to.end());) {
      if (to[0] == 2) break;  // the first half of the permutations
      CAPTURE(fmt::format("{}", fmt::join(to, " ")));
      const report::RunResult run = simulated(rows(in_row, to), more);
      CHECK(run.timeline.makespan == first.timeline.makespan);
      for (std::size_t r = 0; r < 4 && run.memory.size() == 4; ++r)
        CHECK(run.memory[static_cast<std::size_t>(to[r])].peak == first.memory[r].peak);
    }
  }
}

// Two pipeline ranks a node, two chunks a rank, the second chunk on ranks 0, 2, 1, 3: stages 4 → 5 and 6 → 7 cross from
// node to node, 5 → 6 too, which a row of ranks would send over NVLink.
TEST_CASE("a message takes the links between the ranks that its stages stand on") {
  schedule::Schedule looped = made("looped_bfs", 4, 2, 8);
  for (const std::size_t r : {1U, 2U})
    for (schedule::Operation& o : looped.order[r])
      if (o.stage == 5 || o.stage == 6) o.stage = 11 - o.stage;
  const std::string more =
      "cluster: {type: dgx-h100, nodes: 2}\nlayout: {tensor: 4, pipeline: 4, data: 1, virtual: 2}\n"
      "stack: {type: megatron-2024, communication: {messages: asynchronous}}\n";
  for (const char* network : {"network: ideal\n", "network: steady\n", "network: flows\n"}) {
    CAPTURE(network);
    const Durations messages = messages_of(simulated(schedule::to_csv(looped), more + network));
    REQUIRE(messages.size() == 12);  // 0-1, 1-2, 2-3, 3-0, 0-2, 1-3, both ways
    std::int64_t slowest_inside = 0, fastest_between = INT64_MAX;
    for (const auto& [ends, times] : messages)
      for (const std::int64_t t : times) {
        if (ends.first / 2 == ends.second / 2)
          slowest_inside = std::max(slowest_inside, t);
        else
          fastest_between = std::min(fastest_between, t);
      }
    CHECK(slowest_inside * 3 < fastest_between);
  }
  // The ways of playing a run agree there, too.
  const report::RunResult folded = simulated(schedule::to_csv(looped), more + "network: steady\n");
  for (const RunOptions& options : {RunOptions{true, true, false}, RunOptions{false, false, false}})
    CHECK(simulated(schedule::to_csv(looped), more + "network: steady\n", options).timeline.makespan ==
          folded.timeline.makespan);
}

TEST_CASE("stages next to each other on one rank send nothing over the network") {
  // Stages 0 and 1 on rank 0, 2 and 3 on rank 1.
  std::string first, second;
  for (int k = 0; k < 8; ++k) first += fmt::format("0F{0},1F{0},", k), second += fmt::format("2F{0},3F{0},", k);
  for (int k = 0; k < 8; ++k) first += fmt::format("1B{0},0B{0},", k), second += fmt::format("3B{0},2B{0},", k);
  const report::RunResult run = simulated(
      first + "\n" + second + "\n",
      "cluster: {type: dgx-h100, nodes: 1}\nlayout: {tensor: 4, pipeline: 2, data: 1, virtual: 2}\nnetwork: ideal\n"
      "stack: {type: megatron-2024, communication: {messages: asynchronous}}\n");
  CHECK(messages_of(run).size() == 2);
  std::int64_t count = 0;
  for (program::TaskId t = 0; t < run.program.tasks(); ++t)
    count += run.program.template_of(t).lane == program::Lane::pipeline_send ? 1 : 0;
  CHECK(count == 16);  // eight activations, eight gradients, one pair of devices (the tensor ranks are one)
}

// The partial norm goes along the model, rank by rank, and back; tied copies sum their gradients where they stand.
TEST_CASE("what follows the passes follows the stages, not the ranks") {
  const schedule::Schedule in_row = made("zb_h1", 4, 1, 8);
  const std::string more =
      "cluster: {type: dgx-h100, nodes: 4}\nlayout: {tensor: 8, pipeline: 4, data: 1}\nnetwork: steady\n"
      "stack: {type: megatron-2023, optimizer: {post_validation: split_backward}, communication: {messages: "
      "asynchronous}}\n";
  const report::RunResult first = simulated(rows(in_row, {0, 1, 2, 3}), more);
  for (const std::vector<int>& to : {std::vector{2, 0, 3, 1}, {3, 2, 1, 0}, {1, 0, 2, 3}}) {
    CAPTURE(fmt::format("{}", fmt::join(to, " ")));
    const report::RunResult run = simulated(rows(in_row, to), more);
    CHECK(run.timeline.makespan == first.timeline.makespan);
    for (program::TaskId t = 0; t < run.program.tasks(); ++t) {
      const program::Participant* who = &run.program.participant(t);
      const auto activity = who[0].operation == program::kNone ? program::Activity::forward
                                                               : run.program.operations[who[0].operation].activity;
      const auto rank = [&](int i) { return run.program.devices[who[i].device].pipeline_rank(); };
      if (activity == program::Activity::embedding_reduce)
        CHECK(std::minmax(rank(0), rank(1)) == std::minmax(to[0], to[3]));
      if (activity != program::Activity::validation) continue;
      const auto place = [&](int r) { return std::find(to.begin(), to.end(), r) - to.begin(); };
      CHECK(place(rank(0)) == place(rank(1)) + 1);
    }
  }
}

// Whatever is read is played, with its books balanced and as long each way; what cannot run is refused by the reading,
// with its place.
TEST_CASE("a schedule file is refused when it is read or it plays, whatever stands in it") {
  Random random(47);
  int played = 0, refused = 0;
  for (int i = 0; i < 60; ++i) {
    const int ranks = 2 + static_cast<int>(random.below(3)),
              chunks = ranks == 3 ? 1 : 1 + static_cast<int>(random.below(3));
    const auto drawn = schedule::testing::draw(random, ranks, ranks * chunks, 4, false);
    const File file(schedule::to_csv(drawn.schedule));
    const char* messages[] = {"asynchronous", "serialised", "blocking"};
    const std::string text = fmt::format(
        "model: gpt3-350m\ncluster: {{type: dgx-h100, nodes: 2, gpus: {}}}\nlayout: {{tensor: 2, pipeline: {}, data: "
        "1, virtual: {}}}\n"
        "training: {{sequence_length: 256, global_batch: 4}}\nschedule: {{file: {}}}\nnetwork: {}\n"
        "stack: {{type: megatron-2024, communication: {{messages: {}, scatter_gather_messages: {}}}}}\n",
        2 * ranks, ranks, chunks, file.path(), random.below(2) == 0 ? "steady" : "flows", messages[random.below(3)],
        random.below(2) == 0);
    CAPTURE(text);
    const auto scenario = read_scenario_text(text, "test.yaml");
    if (!scenario.ok()) {
      ++refused;
      for (const Diagnostic& error : scenario.errors()) CHECK_FALSE(error.place.file.empty());
      continue;
    }
    ++played;
    const auto run = resolve_and_simulate(*scenario),
               apart = resolve_and_simulate(*scenario, RunOptions{true, false, true});
    REQUIRE_MESSAGE(run.ok(), render(run.errors()));
    REQUIRE(apart.ok());
    CHECK(run->books.empty());
    CHECK(apart->timeline.makespan == run->timeline.makespan);
  }
  CHECK(played > 25);
  CHECK(refused > 8);  // blocking messages that never meet; a last rank without stages
}

}  // namespace orrery::scenario::stage_places_test
