// Messages that are taken for alike, with those of the slowest of their team, leave the step time as it is.
#include "program/team_messages.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

#include "drawn.hpp"
#include "orrery/core/random.hpp"
#include "orrery/scenario/simulate.hpp"
#include "scenario/playing.hpp"
#include "simulated.hpp"

namespace orrery::scenario::team_messages_test {

namespace {

// One to three links slow, of whatever kind; or every other link of a NIC, each way by itself.
void slow_links(Scenario& s, const hardware::Topology& topology, Random& random) {
  const auto& links = topology.links();
  const auto slow = [&](hardware::LinkId id) {
    hardware::Perturbation p;
    p.link = topology.link_name(id);
    p.bandwidth_factor = static_cast<double>(random.between(1, 9)) / (random.below(4) == 0 ? 1000 : 10);
    s.cluster.perturb.push_back(p);
  };
  if (random.below(2) == 0) {
    for (std::int64_t n = random.between(1, 3); n > 0; --n)
      slow(static_cast<hardware::LinkId>(random.below(links.size())));
    return;
  }
  for (std::size_t i = 0; i < links.size(); ++i)
    if (links[i].level == hardware::LinkLevel::nic && random.below(2) == 0) slow(static_cast<hardware::LinkId>(i));
}

struct Played {
  Time step_time{};
  std::size_t devices = 0;
  bool told = true;
};
Played played(const Run& run, program::Levelling level) {
  program::LowerOptions how;
  how.level = level, how.admit = {};
  program::Costs costs;
  auto lowered = program::lower_step(run.input(), how, costs);
  REQUIRE(lowered.ok());
  bool settled = true;
  const auto timeline = play_teams(run.input(), lowered->program, {}, settled);
  return {timeline ? timeline->makespan : Time{}, lowered->program.devices.size(), timeline.has_value()};
}

// To the picosecond; but a pass whose kernels traffic slows begins, where a team is apart, as the host launches its
// first kernel, and else as late as that none of them waits for its launch.
bool same(const Run& run, const Played& a, const Played& b) {
  const cost::Stack& stack = run.input().stack;
  const bool shifted = stack.launch.mode == cost::LaunchMode::eager && stack.communication.data_slowdown_percent != 100;
  const std::int64_t apart = std::abs(a.step_time.value - b.step_time.value);
  return apart <= (shifted ? b.step_time.value / 10'000 : 0);
}

}  // namespace

TEST_CASE("with slow links the step takes as long whether messages of a team are levelled or not") {
  Random random(5);
  int tried = 0, held = 0;
  std::size_t each_hop = 0, all_the_way = 0, each = 0;
  for (int i = 0; i < testing::draws(408); ++i) {
    testing::Drawn drawn = testing::draw_scenario(46, i);
    Scenario& s = drawn.scenario;
    if (s.layout.tensor * s.layout.context < 2 || s.layout.pipeline < 2) continue;
    const auto whole = resolve(s, Catalogue::shared());
    REQUIRE(whole.ok());
    slow_links(s, *whole->input().topology, random);
    const auto run = resolve(s, Catalogue::shared());
    if (!run.ok()) continue;
    ++tried;
    const Played own = played(*run, program::Levelling::none), way = played(*run, program::Levelling::all_the_way);
    const Played hop = played(*run, program::Levelling::each_hop);
    CHECK_MESSAGE(way.told, drawn.text);  // by construction
    CHECK_MESSAGE(same(*run, way, own), drawn.text);
    each += own.devices, all_the_way += way.devices;
    each_hop += hop.told ? hop.devices : way.devices;
    if (!hop.told) continue;
    ++held;
    CHECK_MESSAGE(same(*run, hop, own), drawn.text);
  }
  MESSAGE(tried << " steps of " << each << " devices, levelled all the way of " << all_the_way << ", where it holds ("
                << held << ") hop by hop of " << each_hop);
  if (tried > 50) CHECK(all_the_way < each);  // among fewer there may be none to level
  if (tried > 50) CHECK(each_hop < all_the_way);
}

namespace {

struct Again {
  Played own, hop;
  std::size_t devices = 0;  // as it is played in the end
  Time step_time{};
};
Again again(const std::string& text) {
  const auto s = *read_scenario_text(text, "test.yaml");
  const auto run = resolve(s, Catalogue::shared());
  REQUIRE(run.ok());
  const RunOptions options;
  program::Costs costs;
  const auto found = lower_and_play(run->input(), lower_options(run->scenario(), options), options, costs);
  REQUIRE(found.ok());
  CHECK(simulated(text).books.empty());
  return {played(*run, program::Levelling::none), played(*run, program::Levelling::each_hop),
          found->step.program.devices.size(), found->timeline.makespan};
}

}  // namespace

// The last stage holds the head alone, in which context-parallel ranks do not meet. Forward the messages of one are
// slow, backward the other's: neither is the latest both ways.
TEST_CASE("messages of a stage in which a team does not meet take what comes of the timeline") {
  const Again head = again(
      "model: {type: gpt3-125m, layers: 2, hidden: 1024, heads: 16, tied_embeddings: false}\n"
      "cluster: {type: selene, nodes: 4, gpus_per_node: 2, scale_out: {nics_per_node: 2, fat_tree: {leaves_per_unit: "
      "2}}}\n"
      "perturb: [{link: node2.gpu0->node2.nic0, bandwidth_factor: 0.001}, "
      "{link: node3.gpu1->node3.nic1, bandwidth_factor: 0.001}]\n"
      "layout: {context: 2, pipeline: 4, partition: ends_count_as_layers}\n"
      "training: {sequence_length: 1024, global_batch: 8}\n"
      "stack: {type: megatron-2024}\nnetwork: steady\n");
  CHECK(head.hop.told);
  CHECK(head.hop.step_time == head.own.step_time);
  CHECK(head.devices < head.own.devices);
  CHECK(head.step_time == head.own.step_time);
}

// Likewise, but tensor-parallel ranks meet in the head: who waits for the late one is as late, and sends to the slow
// link.
TEST_CASE("of a team that meets in part those of a kind are late together") {
  const Again head = again(
      "model: {type: gpt3-125m, layers: 2, hidden: 1024, heads: 16, tied_embeddings: false}\n"
      "cluster: {type: selene, nodes: 4, gpus_per_node: 4, scale_out: {nics_per_node: 4, fat_tree: {leaves_per_unit: "
      "4}}}\n"
      "perturb: [{link: node2.gpu0->node2.nic0, bandwidth_factor: 0.001}, "
      "{link: node3.gpu1->node3.nic1, bandwidth_factor: 0.001}]\n"
      "layout: {tensor: 2, context: 2, pipeline: 4, sequence_parallel: true, partition: ends_count_as_layers}\n"
      "training: {sequence_length: 1024, global_batch: 8}\n"
      "stack: {type: megatron-2024}\nnetwork: steady\n");
  CHECK(head.hop.told);
  CHECK(head.hop.step_time == head.own.step_time);
  CHECK(head.hop.devices < head.own.devices);
  CHECK(head.step_time == head.own.step_time);
}

// Hosts wait for blocking messages: one whose message is late launches late, and meets the others no sooner.
TEST_CASE("a step of which the timeline does not tell who is late is lowered again") {
  const Again host = again(
      "model: {type: bloom-176b, layers: 6, hidden: 256, heads: 8, kv_heads: 8, head_dim: 32, ffn_hidden: 768}\n"
      "cluster: {type: jean-zay-a100, nodes: 2, gpus_per_node: 4, gpus: 6, scale_out: {nics_per_node: 2}}\n"
      "perturb: [{link: node0.nic1->node0.gpu2, bandwidth_factor: 0.2}, {link: node0.nvswitch->node0.gpu3, "
      "bandwidth_factor: 0.5}, {link: node0.gpu1->node0.nic0, bandwidth_factor: 0.5}]\n"
      "layout: {context: 2, pipeline: 3, virtual: 2, zero: gradients, order: dp-tp-cp-pp, partition: cost_shares}\n"
      "training: {sequence_length: 128, global_batch: 3, overlap_data: false}\n"
      "stack: {type: sailor-2025, launch: {mode: eager, per_kernel: 9 us, per_kernel_backward: 9 us, "
      "per_collective_rank: 2 us}, communication: {messages: blocking, network_step: 5 us}}\n"
      "schedule: {type: interleaved_1f1b, group: 4}\n"
      "network: {mode: steady, algorithm: two_level, protocol: ll}\n");
  CHECK_FALSE(host.hop.told);
  CHECK(host.hop.devices < host.own.devices);
  CHECK(host.devices == host.own.devices);
  CHECK(host.step_time == host.own.step_time);
}

}  // namespace orrery::scenario::team_messages_test
