// Changes of the network whose effect on a whole step is known without knowing the step, with algorithm and protocol
// fixed, over seeded layouts, under steady and flows.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "orrery/core/random.hpp"
#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::metamorphic_test {

namespace {

constexpr const char* kModes[] = {"steady", "flows"};
const std::string kQuiet =
    "stack: {type: megatron-2024, launch: {mode: graph, per_step: 0 s}, communication: {data_slowdown_percent: 100}}\n";

Scenario scenario_of(const std::string& text) {
  CAPTURE(text);
  auto scenario = read_scenario_text(text, "test.yaml");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  return std::move(scenario).value();
}
report::RunResult simulated(const Scenario& scenario, const RunOptions& options = {}) {
  auto run = resolve_and_simulate(scenario, options);
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  CHECK(run->books.empty());
  return std::move(run).value();
}

// A small model on 16 GPUs of two nodes, or 32 of four.
std::string random_text(Random& random, const char* mode, int least_tensor = 1) {
  const int nodes = random.below(2) == 0 ? 2 : 4;
  int tensor = least_tensor;
  while (tensor < 4 && random.below(2) == 0) tensor *= 2;
  const int pipeline = 1 << random.below(3), data = nodes * 8 / tensor / pipeline;
  const char* zero[] = {"none", "optimizer", "gradients"};
  return fmt::format(
      "model: {{type: gpt3-125m, vocab: 51200}}\ncluster: {{type: dgx-h100, nodes: {}}}\nlayout: {{tensor: {}, "
      "pipeline: "
      "{}, data: {}, zero: {}, sequence_parallel: {}}}\ntraining: {{sequence_length: 512, global_batch: {}, "
      "overlap_data: "
      "{}}}\nnetwork: {{mode: {}, algorithm: ring, protocol: ideal}}\n{}",
      nodes, tensor, pipeline, data, zero[random.below(3)], tensor > 1 && random.below(2) == 0,
      data * static_cast<int>(2 + random.below(3)), random.below(2) == 0, mode, kQuiet);
}

std::unique_ptr<hardware::Topology> topology_of(const Scenario& s) {
  auto topology = hardware::build_topology(s.cluster, s.cluster.nodes);
  REQUIRE(topology.ok());
  return std::move(topology).value();
}

// Bytes that the step moves over each link.
std::vector<Bytes> traffic_of(Scenario s) {
  s.network.mode = NetworkModeChoice::flows;
  return simulated(s).timeline.carried;
}

Scenario with_link(const Scenario& s, const std::string& link, double factor) {
  Scenario changed = s;
  hardware::Perturbation p;
  p.link = link;
  p.bandwidth_factor = factor;
  changed.cluster.perturb.push_back(p);
  return changed;
}

hardware::LinkId pick(Random& random, const std::vector<Bytes>& traffic, bool used) {
  for (;;) {
    const auto link = static_cast<std::size_t>(random.below(traffic.size()));
    if ((traffic[link].value > 0) == used) return static_cast<hardware::LinkId>(link);
  }
}

}  // namespace

TEST_CASE("a link that nothing crosses changes nothing, one that is crossed does") {
  Random random(71);
  for (int i = 0; i < 16; ++i)
    for (const char* mode : kModes) {
      std::string text = random_text(random, mode);
      if (const std::size_t at = text.find("overlap_data: true"); at != std::string::npos)
        text.replace(at, 18, "overlap_data: false");  // so that every transfer is waited for
      CAPTURE(text);
      const Scenario base = scenario_of(text);
      const std::vector<Bytes> traffic = traffic_of(base);
      const auto topology = topology_of(base);
      const report::RunResult before = simulated(base);
      const std::string unused = topology->link_name(pick(random, traffic, false)),
                        used = topology->link_name(pick(random, traffic, true));
      CAPTURE(unused);
      CAPTURE(used);
      CHECK(simulated(with_link(base, unused, 0.01)).timeline_hash == before.timeline_hash);
      CHECK(simulated(with_link(base, used, 0.001)).timeline.makespan > before.timeline.makespan);
    }
}

// A Program without shared links is a graph of fixed times: its longest path cannot grow when one of them shrinks.
TEST_CASE("more bandwidth never slows a run whose transfers do not meet") {
  Random random(72);
  int seen = 0;
  for (int i = 0; i < 16; ++i)
    for (const char* mode : kModes) {
      const std::string text = random_text(random, mode);
      CAPTURE(text);
      const Scenario base = scenario_of(text);
      const report::RunResult before = simulated(base);
      if (!before.shared.empty()) continue;
      ++seen;
      const auto topology = topology_of(base);
      for (int k = 0; k < 3; ++k) {
        const auto link = static_cast<hardware::LinkId>(random.below(topology->links().size()));
        const double factor = static_cast<double>(2 + random.below(7));
        CHECK(simulated(with_link(base, topology->link_name(link), factor)).timeline.makespan <=
              before.timeline.makespan);
      }
      Scenario all = base;
      for (int node = 0; node < all.cluster.nodes; ++node) {
        hardware::Perturbation p;
        p.node = node;
        p.bandwidth_factor = 2;
        all.cluster.perturb.push_back(p);
      }
      CHECK(simulated(all).timeline.makespan <= before.timeline.makespan);
    }
  CHECK(seen >= 8);
}

// All nodes are on the same leaves, so any order of them is the same network.
TEST_CASE("the order of the nodes changes nothing") {
  Random random(73);
  for (int i = 0; i < 16; ++i)
    for (const char* mode : kModes) {
      const std::string text = random_text(random, mode);
      CAPTURE(text);
      const Scenario base = scenario_of(text);
      std::vector<int> nodes(static_cast<std::size_t>(base.cluster.nodes));
      std::iota(nodes.begin(), nodes.end(), 0);
      random.shuffle(nodes);
      Scenario moved = base;
      moved.placement.kind = hardware::PlacementKind::custom;
      for (const int node : nodes)
        for (int gpu = 0; gpu < 8; ++gpu) moved.placement.devices.push_back(node * 8 + gpu);
      CHECK(simulated(moved).timeline_hash == simulated(base).timeline_hash);
    }
}

TEST_CASE("names and order of an explicit graph change nothing") {
  Random random(74);
  for (const char* mode : kModes) {
    Scenario base = scenario_of(fmt::format(
        "model: gpt3-125m\ncluster: {{type: dgx-h100, nodes: 2, gpus_per_node: 4, scale_out: {{nics_per_node: 4, "
        "fabric: single_switch}}}}\nlayout: {{tensor: 2, pipeline: 2, "
        "data: 2}}\ntraining: {{sequence_length: 512, global_batch: 8}}\nnetwork: {{mode: {}, algorithm: ring, "
        "protocol: "
        "ideal}}\n{}",
        mode, kQuiet));
    const auto graph = [](const std::string& left, const std::string& right) {
      hardware::ExplicitGraph g;
      g.switches = {left, right};
      for (int gpu = 0; gpu < 8; ++gpu)
        g.cables.push_back({fmt::format("node{}.gpu{}", gpu / 4, gpu % 4),
                            gpu < 4 ? left : right,
                            {100'000'000'000},
                            {1'000'000},
                            hardware::LinkLevel::scale_up});
      g.cables.push_back({left, right, {50'000'000'000}, {5'000'000}, hardware::LinkLevel::leaf});
      return g;
    };
    base.cluster.graph = graph("left", "right");
    Scenario renamed = base;
    renamed.cluster.graph = graph("zulu", "alpha");
    random.shuffle(renamed.cluster.graph.cables);
    std::swap(renamed.cluster.graph.switches[0], renamed.cluster.graph.switches[1]);
    const report::RunResult before = simulated(base), after = simulated(renamed);
    CHECK(after.timeline_hash == before.timeline_hash);
    REQUIRE(after.shared.size() == before.shared.size());
    for (std::size_t i = 0; i < before.shared.size(); ++i) CHECK(after.shared[i].took_s == before.shared[i].took_s);
  }
}

// latency + ⌈X⌉ against 2 latency + ⌈2 X⌉: from 2 (latency + ⌈X⌉) − 1 ps to 2 (latency + ⌈X⌉), for each phase. Under
// steady also where links are shared (a picosecond either way: the rate is rounded too); under flows where none are,
// for what meets depends on the kernels, which take what they took.
TEST_CASE("half of every bandwidth and twice every latency double each communication") {
  Random random(75);
  for (int i = 0; i < 16; ++i)
    for (const char* mode : kModes) {
      const std::string text = random_text(random, mode);
      CAPTURE(text);
      const Scenario base = scenario_of(text);
      Scenario slow = base;
      hardware::ClusterSpec& c = slow.cluster;
      for (BytesPerSecond* b : {&c.scale_up.bandwidth, &c.pcie_bandwidth, &c.scale_out.nic_bandwidth}) {
        REQUIRE(b->value % 2 == 0);
        b->value /= 2;
      }
      for (Time* t : {&c.scale_up.latency, &c.pcie_latency, &c.scale_out.nic_latency, &c.scale_out.switch_latency})
        t->value *= 2;
      const report::RunResult before = simulated(base, {.fuse = false}), after = simulated(slow, {.fuse = false});
      REQUIRE(before.program.templates.size() == after.program.templates.size());
      for (std::size_t k = 0; k < before.program.templates.size(); ++k) {
        const program::Range calls = before.program.templates[k].calls;
        if (calls.count != 1 || before.program.templates[k].segments.count > 0) continue;  // one call of its own
        const program::Call &was = before.program.calls[calls.first], &is = after.program.calls[calls.first];
        constexpr std::int64_t kMostPhases = 4;
        CHECK(is.alone.value <= 2 * was.alone.value);
        CHECK(is.alone.value >= 2 * was.alone.value - kMostPhases);
        CHECK(std::abs(is.took.value - 2 * was.took.value) <= kMostPhases);
      }
      if (std::string(mode) != "flows" || !before.shared.empty() || !after.shared.empty()) continue;
      for (program::TaskId task = 0; task < before.program.tasks(); ++task) {
        const std::uint32_t transfer = before.program.template_of(task).transfer;
        if (transfer == program::kNone) continue;
        const auto phases = static_cast<std::int64_t>(before.program.transfers[transfer].phases.size());
        const std::int64_t was = before.timeline.end[task] - before.timeline.start[task],
                           is = after.timeline.end[task] - after.timeline.start[task];
        CHECK(is <= 2 * was);
        CHECK(is >= 2 * was - phases);
      }
    }
}

TEST_CASE("tensor groups across nodes are never faster than within one") {
  Random random(76);
  for (int i = 0; i < 16; ++i)
    for (const char* mode : kModes) {
      const std::string text = random_text(random, mode, 2);
      CAPTURE(text);
      const Scenario base = scenario_of(text);
      Scenario across = base;
      across.placement.kind = hardware::PlacementKind::by_rail;
      const report::RunResult within = simulated(base), spread = simulated(across);
      CHECK(within.placement.domains[layout::Dimension::tensor] == 1);
      CHECK(spread.placement.domains[layout::Dimension::tensor] > 1);
      const auto tensor = [](const report::RunResult& run) {
        return run.split[0][static_cast<std::size_t>(program::Category::tensor_comm)];
      };
      CHECK(tensor(spread) >= tensor(within));
    }
}

}  // namespace orrery::scenario::metamorphic_test
