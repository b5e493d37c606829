// The sections `placement` and `perturb`: where the ranks run, and what is slow or down there.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>

#include "orrery/scenario/simulate.hpp"
#include "simulated.hpp"

namespace orrery::scenario::places_test {

using program::Category;

namespace {

// Nothing but kernels and transfers: no launches, no fixed host time, no traffic beside the kernels.
const std::string kQuiet =
    "stack: {type: megatron-2024, launch: {mode: graph, per_step: 0 s}, communication: {data_slowdown_percent: 100}}\n";

std::string text_of(const std::string& layout, int nodes, int batch, const std::string& more) {
  return fmt::format(
      "model: gpt3-350m\ncluster: {{type: dgx-h100, nodes: {}}}\nlayout: {{{}}}\ntraining: {{sequence_length: 1024, "
      "global_batch: {}, overlap_data: false}}\n{}{}{}",
      nodes, layout, batch, kQuiet, more.find("network:") == std::string::npos ? "network: steady\n" : "", more);
}

std::string refusal(const std::string& text) {
  const auto scenario = read_scenario_text(text, "test.yaml");
  if (!scenario.ok()) return render(scenario.errors());
  const auto run = resolve_and_simulate(*scenario);
  REQUIRE(!run.ok());
  return render(run.errors());
}

std::size_t device_of(const report::RunResult& run, std::int32_t rank) {
  for (std::size_t d = 0; d < run.program.devices.size(); ++d)
    for (const std::int32_t r : run.program.devices[d].ranks)
      if (r == rank) return d;
  FAIL("no device stands for the rank");
  return 0;
}
std::int64_t time_of(const report::RunResult& run, std::int32_t rank, Category category) {
  return run.split[device_of(run, rank)][static_cast<std::size_t>(category)];
}

void check_ways_agree(const std::string& text) {
  CAPTURE(text);
  const report::RunResult folded = simulated(text);
  for (const RunOptions& options :
       {RunOptions{true, true, false}, RunOptions{true, false, true}, RunOptions{false, false, false}}) {
    const report::RunResult other = simulated(text, options);
    CHECK(other.timeline.makespan == folded.timeline.makespan);
    CHECK(other.timeline_hash == folded.timeline_hash);
  }
}

}  // namespace

// Two ranks, no overlap: both compute C, reduce, and update in U. At half speed rank 1 computes 2 C and updates in 2 U,
// while rank 0 waits for the reduction: the step is longer by C + U, every picosecond of it.
TEST_CASE("a GPU at half speed takes twice as long for each kernel, and the others wait for it") {
  const std::string text = text_of("data: 2", 1, 4, "network: ideal\n");
  std::string two = text;
  two.replace(two.find("nodes: 1"), 8, "nodes: 1, gpus: 2");
  const report::RunResult plain = simulated(two);
  const report::RunResult slow = simulated(two + "perturb: [{device: 1, compute_factor: 0.5}]\n");
  const std::int64_t compute = time_of(plain, 0, Category::compute), update = time_of(plain, 0, Category::optimizer);
  CHECK(compute > 0);
  CHECK(update > 0);
  CHECK(time_of(slow, 0, Category::compute) == compute);
  CHECK(time_of(slow, 1, Category::compute) == 2 * compute);
  CHECK(time_of(slow, 1, Category::optimizer) == 2 * update);
  CHECK(slow.timeline.makespan == plain.timeline.makespan + Time{compute + update});
  CHECK(slow.flops.model.total() == plain.flops.model.total());
  // A node is all its GPUs; what the run does not use changes nothing.
  CHECK(simulated(two + "perturb: [{node: 0, compute_factor: 0.5}]\n").timeline.makespan == slow.timeline.makespan);
  CHECK(simulated(two + "perturb: [{device: 7, compute_factor: 0.5}]\n").timeline_hash == plain.timeline_hash);
  // Factors on one GPU multiply; what is faster waits all the same.
  CHECK(simulated(two + "perturb: [{device: 1, compute_factor: 0.25}, {node: 0, compute_factor: 2}]\n")
            .timeline.makespan == slow.timeline.makespan);
}

// Tensor pairs {0,1} {2,3} {4,5} {6,7}, gradient groups {0,2,4,6} {1,3,5,7}. With rank 3 slow: 3 itself, its tensor
// partner 2, those that reduce with 3 and those that reduce with 2.
TEST_CASE("folding splits exactly the classes a slow GPU breaks") {
  const std::string text = text_of("tensor: 2, data: 4", 1, 8, "");
  CHECK(simulated(text).program.devices.size() == 1);
  const report::RunResult slow = simulated(text + "perturb: [{device: 3, compute_factor: 0.5}]\n");
  std::vector<std::vector<std::int32_t>> ranks;
  for (const program::Device& d : slow.program.devices) ranks.push_back(d.ranks);
  CHECK(ranks == std::vector<std::vector<std::int32_t>>{{0, 4, 6}, {1, 5, 7}, {2}, {3}});
  check_ways_agree(text + "perturb: [{device: 3, compute_factor: 0.5}]\n");
  check_ways_agree(text_of("tensor: 2, pipeline: 2, data: 2, sequence_parallel: true", 1, 8,
                           "perturb: [{device: 5, compute_factor: 0.9}, {link: node0.gpu2--node0.nvswitch, "
                           "bandwidth_factor: 0.5}]\n"));
  check_ways_agree(
      text_of("tensor: 2, context: 2, pipeline: 2", 1, 8, "perturb: [{device: 2, compute_factor: 0.7}]\n"));
}

TEST_CASE("what is down under a rank is an error that names the ranks, elsewhere it is nothing") {
  const std::string text = text_of("tensor: 4, data: 2", 1, 8, "");
  CHECK(refusal(text + "perturb: [{device: 3, down: true}]\n").find("GPU 3 is down, and rank 3 would run on it") !=
        std::string::npos);
  std::string spare = text;
  spare.replace(spare.find("nodes: 1"), 8, "nodes: 2, gpus: 8");
  CHECK(simulated(spare + "perturb: [{node: 1, down: true}]\n").timeline_hash == simulated(text).timeline_hash);
  CHECK(refusal(spare + "placement: {type: explicit, devices: [0, 1, 2, 3, 8, 9, 10, 11]}\n"
                        "perturb: [{node: 1, down: true}]\n")
            .find("node 1 is down, and ranks 4, 5, 6, 7 would run on it") != std::string::npos);
  // Sixteen are named, of more the first sixteen.
  const auto wide = [](int gpus) {
    return refusal(
        fmt::format("model: gpt3-125m\ncluster: {{type: dgx-h100, nodes: 1, gpus_per_node: {0}}}\n"
                    "layout: {{data: {0}}}\ntraining: {{sequence_length: 512, global_batch: {0}}}\n"
                    "stack: megatron-2024\nperturb: [{{node: 0, down: true}}]\n",
                    gpus));
  };
  CHECK(wide(16).find("13, 14, 15 would run on it") != std::string::npos);
  CHECK(wide(24).find("13, 14, 15, … would run on it") != std::string::npos);
  // Nothing joins GPU 3 to the others any more, though it runs.
  const std::string cut = refusal(text +
                                  "perturb: [{link: node0.gpu3--node0.nvswitch, down: true}, {link: "
                                  "node0.gpu3--node0.nic3, down: true}]\n");
  CHECK(cut.find("no route from rank 0 (node0.gpu0) to rank 3 (node0.gpu3), tensor-parallel group: what joins them is "
                 "down") != std::string::npos);
  CHECK(cut.find("test.yaml:7:1: perturb: no route") == 0);  // reading finds it, and says where
  // With the way to its NIC whole it goes round, and is slower.
  CHECK(simulated(text + "perturb: [{link: node0.gpu3--node0.nvswitch, down: true}]\n").timeline.makespan >
        simulated(text).timeline.makespan);
}

TEST_CASE("placement decides which links the groups use") {
  const std::string text = text_of("tensor: 8, data: 2", 2, 8, "");
  const report::RunResult packed = simulated(text), rails = simulated(text + "placement: by_rail\n");
  CHECK(packed.placement.domains[layout::Dimension::tensor] == 1);
  CHECK(packed.placement.domains[layout::Dimension::data] == 2);
  CHECK(rails.placement.domains[layout::Dimension::tensor] == 2);
  CHECK(rails.placement.domains[layout::Dimension::data] == 1);
  CHECK(rails.timeline.makespan > packed.timeline.makespan);  // tensor groups over two nodes
  CHECK(2 * time_of(rails, 0, Category::tensor_comm) > 3 * time_of(packed, 0, Category::tensor_comm));
  CHECK(packed.title.find("placement") == std::string::npos);
  CHECK(rails.title.find(" · placement by_rail · ") != std::string::npos);
  CHECK(report::to_text(rails, {}).find("Placement: by_rail: tensor groups reach over 2 domains") != std::string::npos);
  CHECK(report::to_json(rails).find("\"type\": \"by_rail\"") != std::string::npos);
  std::string listed = "placement: {type: explicit, devices: [0";
  for (int r = 1; r < 16; ++r) listed += fmt::format(", {}", r);
  CHECK(simulated(text + listed + "]}\n").timeline_hash == packed.timeline_hash);
  // One domain: where a rank runs is all the same to it.
  const std::string one = text_of("tensor: 2, pipeline: 2, data: 2", 1, 8, "");
  CHECK(simulated(one + "placement: {type: random, seed: 5}\n").timeline_hash == simulated(one).timeline_hash);
}

TEST_CASE("any placement gives the same result folded, unfolded and unfused") {
  for (const char* layout :
       {"tensor: 2, pipeline: 2, data: 4, sequence_parallel: true", "tensor: 4, data: 4, zero: optimizer",
        "tensor: 2, context: 2, pipeline: 2, data: 2", "data: 16, zero: parameters"})
    for (const char* placement : {"by_rail", "round_robin", "{type: random, seed: 1}", "{type: random, seed: 2}"})
      check_ways_agree(text_of(layout, 2, 16, fmt::format("placement: {}\n", placement)));
}

TEST_CASE("both sections come back from the resolved scenario") {
  const std::string text = text_of("tensor: 2, data: 4", 1, 8,
                                   "placement: {type: random, seed: 7}\nperturb: [{device: 3, compute_factor: 0.5}, "
                                   "{link: node0.gpu2--node0.nvswitch, bandwidth_factor: 0.25}]\n");
  const auto scenario = read_scenario_text(text, "test.yaml");
  REQUIRE(scenario.ok());
  const auto again = read_scenario_text(to_json(*scenario), "again.json");
  REQUIRE_MESSAGE(again.ok(), render(again.errors()));
  CHECK(to_json(*again) == to_json(*scenario));
  CHECK(again->cluster.perturb.size() == 2);
  CHECK(again->placement.seed == 7);
}

}  // namespace orrery::scenario::places_test
