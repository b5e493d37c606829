// What the report says of shared links, and how much of them was in use.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/scenario/simulate.hpp"
#include "report/trace_rules.hpp"
#include "simulated.hpp"

namespace orrery::scenario::sharing_test {

namespace {

// Four nodes of eight GPUs, a leaf a node, `below` NICs to an uplink; tensor groups inside the nodes, eight gradient
// groups over them. Rings of the ideal protocol: a latency and bytes over bandwidth, nothing else.
std::string text_of(int below, const char* mode) {
  return fmt::format(
      "model: gpt3-1.3b\ncluster: {{type: dgx-h100, nodes: 4, scale_out: {{fabric: fat_tree, fat_tree: "
      "{{nodes_per_unit: "
      "1, leaves_per_unit: 1, leaf_oversubscription: {{below: {}, above: 1}}}}}}}}\nlayout: {{tensor: 8, data: 4}}\n"
      "training: {{sequence_length: 1024, global_batch: 8, overlap_data: false}}\n"
      "network: {{mode: {}, algorithm: ring, protocol: ideal}}\n",
      below, mode);
}

}  // namespace

// Eight rings of 50 GB/s leave each node over 8 / below uplinks of 50 GB/s: their bytes take `below` times as long.
TEST_CASE("the report names the links that were shared and what it cost") {
  for (const char* mode : {"steady", "flows"}) {
    CAPTURE(std::string(mode));
    const report::RunResult whole = simulated(text_of(1, mode)), half = simulated(text_of(2, mode)),
                            quarter = simulated(text_of(4, mode));
    CHECK(whole.shared.empty());
    CHECK(report::to_text(whole, {}).find("Shared links") == std::string::npos);
    REQUIRE(half.shared.size() == 1);
    REQUIRE(quarter.shared.size() == 1);
    const report::SharedTransfers &two = half.shared[0], &four = quarter.shared[0];
    CHECK(two.category == program::Category::data_comm);
    CHECK(two.collective == Collective::all_reduce);
    CHECK(two.level == hardware::LinkLevel::leaf);
    CHECK(two.link.find("->spine") != std::string::npos);
    CHECK(two.oversubscription == 2.0);
    CHECK(four.oversubscription == 4.0);
    CHECK(two.alone_s == four.alone_s);
    // latency + 2 X and latency + 4 X against latency + X.
    const double bytes = two.took_s - two.alone_s, latency = two.alone_s - bytes;
    CHECK(latency > 0);
    CHECK(four.took_s == doctest::Approx(latency + 4 * bytes).epsilon(1e-9));
    CHECK(report::to_text(half, {}).find("Shared links: data-parallel all-reduce") != std::string::npos);
    CHECK(report::to_text(half, {}).find("oversubscribed 2:1") != std::string::npos);
    const auto json = nlohmann::ordered_json::parse(report::to_json(half));
    REQUIRE(json["shared_links"].size() == 1);
    CHECK(json["shared_links"][0]["category"] == "data_comm");
    CHECK(json["shared_links"][0]["collective"] == "all_reduce");
    CHECK(json["shared_links"][0]["level"] == "leaf");
    CHECK(json["shared_links"][0]["oversubscription"] == 2.0);
    CHECK(report::to_json(half) == report::to_json(simulated(text_of(2, mode))));
  }
}

TEST_CASE("what is fused, folded or played apart says the same of shared links") {
  const report::RunResult folded = simulated(text_of(2, "steady"));
  for (const RunOptions& options : {RunOptions{.every_rank = true}, RunOptions{.fuse = false}}) {
    const report::RunResult other = simulated(text_of(2, "steady"), options);
    REQUIRE(other.shared.size() == folded.shared.size());
    CHECK(other.shared[0].took_s == folded.shared[0].took_s);
    CHECK(other.shared[0].alone_s == folded.shared[0].alone_s);
    CHECK(other.shared[0].level == folded.shared[0].level);
  }
}

// While the gradients are reduced every uplink is full and every NIC half so; the levels of the samples integrate to
// the bytes that were carried.
TEST_CASE("the links in use over time are recorded where asked for") {
  CHECK(simulated(text_of(2, "flows")).link_use.front().samples.empty());
  const report::RunResult run = simulated(text_of(2, "flows"), {.record_links = true});
  int found = 0;
  for (const report::LevelUse& use : run.link_use) {
    CAPTURE(std::string(report::name_of(use.level)));
    double most = 0, area = 0;
    REQUIRE(use.samples.size() > 2);
    CHECK(use.samples.front().time == 0);
    CHECK(use.samples.back().fraction == 0);
    for (std::size_t i = 0; i + 1 < use.samples.size(); ++i) {
      most = std::max(most, use.samples[i].fraction);
      area += use.samples[i].fraction * static_cast<double>(use.samples[i + 1].time - use.samples[i].time);
    }
    CHECK(most <= 1.0);
    CHECK(area / static_cast<double>(run.timeline.makespan.value) == doctest::Approx(use.mean).epsilon(1e-6));
    if (use.level == hardware::LinkLevel::leaf) {
      CHECK(most == doctest::Approx(1.0).epsilon(1e-9));
      ++found;
    }
    if (use.level == hardware::LinkLevel::nic) {
      CHECK(most == doctest::Approx(0.5).epsilon(1e-9));
      ++found;
    }
  }
  CHECK(found == 2);
  const report::testing::Written trace = report::testing::written(run);
  report::testing::check_rules(trace);
  int samples = 0;
  for (const auto& event : report::testing::events_of(trace.trace, "C"))
    if (event["name"] == "leaf links in use") {
      CHECK(event["pid"] == run.gpus);
      CHECK(event["args"]["percent"].get<double>() <= 100.0);
      ++samples;
    }
  CHECK(samples > 2);
}

TEST_CASE("the report says why ranks are played apart") {
  const auto notes = [](const std::string& text) {
    std::string all;
    for (const std::string& note : simulated(text).notes) all += note;
    return all;
  };
  CHECK(notes(text_of(1, "steady")).empty());
  CHECK(notes(text_of(1, "flows")).starts_with("Every rank is played: under flows"));
  CHECK(notes(text_of(1, "steady") + "perturb: [{device: 3, compute_factor: 0.5}]\n") ==
        "Ranks of one place in the pipeline are played apart where they differ: GPUs of different speed.");
  CHECK(notes(text_of(1, "steady") + "perturb: [{link: node0.gpu3--node0.nvswitch, bandwidth_factor: 0.5}]\n") ==
        "Ranks of one place in the pipeline are played apart where they differ: tensor groups on links of different "
        "speed or use.");
}

TEST_CASE("network auto is flows where that is quick, and says so") {
  const std::string base =
      "model: gpt3-350m\ncluster: {type: dgx-h100, nodes: 2}\nlayout: {tensor: 8}\ntraining: {sequence_length: 1024, ";
  // 24 layers · micro-batches · 16 ranks: 130 micro-batches are 49 920 passes, 131 are 50 304.
  const report::RunResult few = simulated(base + "global_batch: 260}\nnetwork: auto\n");
  CHECK(few.network_mode == "flows");
  CHECK(few.notes.front() ==
        "network auto is flows: 16 GPUs and 49920 passes of a layer on a GPU, flows takes up to 128 and 50000.");
  const report::RunResult many = simulated(base + "global_batch: 262}\nnetwork: auto\n");
  CHECK(many.network_mode == "steady");
  CHECK(many.notes.front() ==
        "network auto is steady: 16 GPUs and 50304 passes of a layer on a GPU, flows takes up to 128 and 50000.");
  CHECK(simulated(base + "global_batch: 2}\n").network_mode == "flows");  // the default
  std::string wide = base + "global_batch: 18}\n";
  wide.replace(wide.find("nodes: 2"), 8, "nodes: 18");
  CHECK(simulated(wide).network_mode == "steady");
  const auto scenario = read_scenario_text(base + "global_batch: 2}\nnetwork: auto\n", "test.yaml");
  REQUIRE(scenario.ok());
  const auto swept = resolve(*scenario, Catalogue::shared(), {.automatic = NetworkModeChoice::steady});
  REQUIRE(swept.ok());
  CHECK(swept->input().mode == program::NetworkMode::steady);
  CHECK(swept->why_network().empty());
}

}  // namespace orrery::scenario::sharing_test
