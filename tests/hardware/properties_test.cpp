// What holds on every shape: each pair is joined, there and back equally far, along links that meet end to end, none
// twice.
#include <algorithm>
#include <set>

#include "clusters.hpp"
#include "hardware/graph.hpp"
#include "orrery/core/random.hpp"
#include "orrery/hardware/catalogue.hpp"

namespace orrery::hardware::properties_test {
using namespace testing;

namespace {

void check_pair(const Topology& t, DeviceId from, DeviceId to) {
  const std::vector<LinkId> there = route(t, from, to);
  REQUIRE(there.empty() == (from == to));
  CHECK(there.size() == route(t, to, from).size());
  VertexId at = from;
  for (const LinkId id : there) {
    const Link& link = t.links().at(static_cast<std::size_t>(id));
    REQUIRE(link.from == at);
    at = link.to;
  }
  CHECK(at == to);
  CHECK(std::set<LinkId>(there.begin(), there.end()).size() == there.size());
}

void check_links(const Topology& t) {
  for (std::size_t i = 0; i < t.links().size(); ++i) {
    const Link& link = t.links()[i];
    const Link& back = t.links()[i ^ 1U];
    if (link.from != back.to || link.to != back.from || link.bandwidth != back.bandwidth || link.bandwidth.value <= 0)
      FAIL("link " << i << " has no way back");
  }
}

// A spec of any shape, small enough for all pairs.
ClusterSpec random_spec(Random& random, int& nodes) {
  const auto pick = [&](int least, int most) { return static_cast<int>(random.between(least, most)); };
  ClusterSpec spec = superpod();
  nodes = pick(1, 12);
  constexpr std::array kinds{ScaleUpKind::none, ScaleUpKind::pcie, ScaleUpKind::switched, ScaleUpKind::full_mesh,
                             ScaleUpKind::hybrid_cube_mesh};
  spec.scale_up.kind = kinds[random.below(kinds.size())];
  const bool cube = spec.scale_up.kind == ScaleUpKind::hybrid_cube_mesh;
  spec.gpus_per_node = cube ? 8 : 1 << pick(0, 3);
  if (!cube && spec.scale_up.kind != ScaleUpKind::pcie) spec.scale_up.nodes_per_domain = pick(1, 3);
  spec.scale_out.nics_per_node = spec.gpus_per_node >> pick(0, 1);
  if (spec.scale_out.nics_per_node == 0) spec.scale_out.nics_per_node = 1;
  spec.scale_out.rail_hop = random.below(2) == 0;
  FatTree& tree = spec.scale_out.fat_tree;
  tree.nodes_per_unit = pick(1, 4);
  tree.leaves_per_unit = pick(1, spec.scale_out.nics_per_node);
  tree.radix = 64;
  tree.spine_radix = pick(16, 32);
  tree.units_per_pod = pick(0, 1) * pick(1, 2);
  tree.leaf_oversubscription = {pick(1, 2), pick(1, 2)};
  tree.path_choice = random.below(2) == 0 ? PathChoice::hash : PathChoice::destination;
  switch (random.below(4)) {
    case 0:
      spec.scale_out.fabric = FabricKind::single_switch;
      break;
    case 1: {
      const std::vector<int> dims{pick(1, 4), pick(1, 3)};
      nodes = dims[0] * dims[1];
      spec.scale_out.fabric = FabricKind::torus;
      spec.scale_out.torus = {dims, random.below(2) == 0, gigabytes(50)};
      break;
    }
    case 2:
      spec.scale_out.fabric = FabricKind::dragonfly;
      spec.scale_out.dragonfly = {pick(2, 4),    pick(2, 16),    pick(2, 4),          gigabytes(25),
                                  gigabytes(25), nanoseconds(9), random.below(2) == 0};
      break;
    default:
      break;
  }
  return spec;
}

}  // namespace

TEST_CASE("every pair is joined on 300 random clusters") {
  Random random(20261121);
  int built_ones = 0;
  for (int i = 0; i < 400; ++i) {
    int nodes = 1;
    const ClusterSpec spec = random_spec(random, nodes);
    if (!check_cluster(spec, nodes).empty()) continue;
    ++built_ones;
    CAPTURE(i);
    const auto t = built(spec, nodes);
    check_links(*t);
    for (DeviceId from = 0; from < t->devices(); ++from)
      for (DeviceId to = 0; to < t->devices(); ++to) check_pair(*t, from, to);
    std::set<std::string> names;
    for (std::size_t l = 0; l < t->links().size(); ++l) names.insert(t->link_name(static_cast<LinkId>(l)));
    CHECK(names.size() == t->links().size());
  }
  CHECK(built_ones >= 300);
}

TEST_CASE("sampled pairs are joined on every cluster of the catalogue at full size") {
  Random random(7);
  for (const std::string& name : cluster_names()) {
    CAPTURE(name);
    const auto spec = load_cluster(name);
    REQUIRE(spec.ok());
    const auto t = built(*spec, spec->nodes);
    check_links(*t);
    for (int i = 0; i < 200; ++i) {
      const auto n = static_cast<std::uint64_t>(t->devices());
      check_pair(*t, static_cast<DeviceId>(random.below(n)), static_cast<DeviceId>(random.below(n)));
    }
  }
}

TEST_CASE("without hops over peers no route is longer than the shortest path of the graph") {
  // Trees, tori and minimal dragonflies of one domain a GPU: the generator's rule must find a shortest path.
  for (const FabricKind kind : {FabricKind::fat_tree, FabricKind::torus}) {
    ClusterSpec spec = superpod();
    spec.scale_up = {};
    spec.gpus_per_node = 1;
    spec.scale_out.nics_per_node = 1;
    spec.scale_out.fabric = kind;
    spec.scale_out.torus = {{4, 5, 3}, true, gigabytes(50)};
    spec.scale_out.fat_tree = {4, 1, 8, 0, 0, {1, 1}, {1, 1}, PathChoice::destination};
    const auto t = built(spec, 60);
    const Graph graph = make_graph(t->links(), t->vertices());
    for (DeviceId to = 0; to < 60; ++to) {
      const std::vector<int> hops = hops_to(graph, to);
      for (DeviceId from = 0; from < 60; ++from)
        CHECK(static_cast<int>(route(*t, from, to).size()) == hops[static_cast<std::size_t>(from)]);
    }
  }
}

TEST_CASE("ECMP spreads pairs over all spines and does not depend on the order of asking") {
  ClusterSpec spec = superpod();
  spec.scale_out.fat_tree.path_choice = PathChoice::hash;
  const auto t = built(spec, 64);
  std::vector<int> at_spine(8);
  for (int a = 0; a < 32; ++a)
    for (int b = 32; b < 64; ++b) {
      const std::string path = route_text(*t, 8 * a, 8 * b);
      ++at_spine[static_cast<std::size_t>(path[path.find("spine0.") + 7] - '0')];
    }
  // 1024 pairs, 128 expected at each of 8 spines, standard deviation √(1024·7/64) = 10.6: within five of them.
  for (const int n : at_spine) CHECK(std::abs(n - 128) < 53);
  CHECK(route(*t, 0, 8 * 40) == route(*built(spec, 64), 0, 8 * 40));
}

TEST_CASE("wild numbers are refused, never overflow and never fill the memory") {
  Random random(99);
  const auto wild = [&] {
    constexpr std::array<int, 12> values{-1, 0, 1, 2, 7, 64, 1000, 4096, 65'536, 1 << 20, 1 << 30, 2'147'483'647};
    return values[random.below(values.size())];
  };
  const auto wide = [&] { return static_cast<std::int64_t>(wild()) * (1LL << random.below(33)); };
  int refused = 0;
  constexpr int kSpecs = 3000;
  for (int i = 0; i < kSpecs; ++i) {
    int nodes = 1;
    ClusterSpec spec = random_spec(random, nodes);
    // Three fields out of all are replaced.
    for (int k = 0; k < 3; ++k) {
      FatTree& tree = spec.scale_out.fat_tree;
      Dragonfly& fly = spec.scale_out.dragonfly;
      const std::array<int*, 17> fields{&spec.nodes,
                                        &spec.gpus_per_node,
                                        &spec.scale_up.nodes_per_domain,
                                        &tree.nodes_per_unit,
                                        &tree.leaves_per_unit,
                                        &tree.radix,
                                        &tree.spine_radix,
                                        &tree.units_per_pod,
                                        &tree.leaf_oversubscription.below,
                                        &nodes,
                                        &fly.routers_per_group,
                                        &tree.leaf_oversubscription.above,
                                        &fly.ports_per_router,
                                        &fly.global_links_per_router,
                                        &spec.scale_out.nics_per_node,
                                        &tree.pod_oversubscription.below,
                                        &tree.pod_oversubscription.above};
      *fields[random.below(fields.size())] = wild();
    }
    if (random.below(4) == 0) spec.scale_out.switch_latency.value = wide();
    if (random.below(4) == 0) spec.scale_out.nic_bandwidth.value = wide();
    if (random.below(8) == 0) spec.scale_out.torus.dimensions.push_back(wild());
    CAPTURE(i);
    const Diagnostics errors = check_cluster(spec, nodes);
    refused += errors.empty() ? 0 : 1;
    if (!errors.empty() || nodes > 1000 || i % 20 != 0) continue;  // some are huge
    const auto t = built(spec, nodes);
    check_pair(*t, 0, t->devices() - 1);
  }
  CHECK(refused > kSpecs / 2);
  CHECK(refused < kSpecs);
}

}  // namespace orrery::hardware::properties_test
