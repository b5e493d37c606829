// Routes of the less common shapes, derived by hand.
#include <set>

#include "clusters.hpp"
#include "orrery/hardware/catalogue.hpp"

namespace orrery::hardware::shapes_test {
using namespace testing;

namespace {

ClusterSpec torus(std::vector<int> dimensions, bool wrap = true) {
  ClusterSpec spec = superpod();
  spec.name = "torus";
  spec.nodes = 1;
  for (const int d : dimensions) spec.nodes *= d;
  spec.gpus_per_node = 1;
  spec.scale_up = {};
  spec.scale_out.nics_per_node = 1;
  spec.scale_out.fabric = FabricKind::torus;
  spec.scale_out.torus = {std::move(dimensions), wrap, gigabytes(50)};
  return spec;
}

// 4 routers a group, 2 NICs and 1 global link each: up to 5 groups, 40 nodes of one GPU.
ClusterSpec dragonfly() {
  ClusterSpec spec = superpod();
  spec.name = "dragonfly";
  spec.nodes = 40;
  spec.gpus_per_node = 1;
  spec.scale_up = {};
  spec.scale_out.nics_per_node = 1;
  spec.scale_out.fabric = FabricKind::dragonfly;
  spec.scale_out.dragonfly = {4, 2, 1, gigabytes(25), gigabytes(25), nanoseconds(300), false};
  return spec;
}

}  // namespace

TEST_CASE("a full mesh has one cable a pair with an even share of the bandwidth") {
  auto loaded = load_cluster("hgx-mi300x");
  REQUIRE(loaded.ok());
  const auto t = built(*loaded, 2);
  CHECK(route_text(*t, 9, 14) == "node1.gpu1->node1.gpu6");
  CHECK(route_text(*t, 14, 9) == "node1.gpu6->node1.gpu1");
  CHECK(t->links()[static_cast<std::size_t>(route(*t, 9, 14)[0])].bandwidth == gigabytes(64));  // 448 / 7
}

TEST_CASE("the DGX-1 cube has six NVLinks a GPU and reaches the far corner in two hops") {
  auto loaded = load_cluster("dgx-1-v100");
  REQUIRE(loaded.ok());
  const auto t = built(*loaded, 1);
  std::vector<std::int64_t> of_gpu(8);
  for (const Link& link : t->links())
    if (link.level == LinkLevel::scale_up) of_gpu[static_cast<std::size_t>(link.from)] += link.bandwidth.value;
  for (const std::int64_t bandwidth : of_gpu) CHECK(bandwidth == 6 * 25'000'000'000);
  CHECK(route_text(*t, 0, 3) == "node0.gpu0->node0.gpu3");
  CHECK(t->links()[static_cast<std::size_t>(route(*t, 0, 3)[0])].bandwidth == gigabytes(50));  // NV2
  CHECK(t->links()[static_cast<std::size_t>(route(*t, 0, 1)[0])].bandwidth == gigabytes(25));  // NV1
  CHECK(route_text(*t, 0, 7) == "node0.gpu0->node0.gpu3 node0.gpu3->node0.gpu7");
  CHECK(route_text(*t, 7, 0) == "node0.gpu7->node0.gpu3 node0.gpu3->node0.gpu0");
}

TEST_CASE("an NVL72 is one domain of 18 trays") {
  auto loaded = load_cluster("gb200-nvl72");
  REQUIRE(loaded.ok());
  const auto t = built(*loaded, 36);
  CHECK(t->devices() == 144);
  CHECK(t->devices_per_node() == 4);
  CHECK(t->same_domain(0, 71));
  CHECK(!t->same_domain(71, 72));
  CHECK(route_text(*t, 0, 71) == "node0.gpu0->domain0.nvswitch domain0.nvswitch->node17.gpu3");
  // The next rack, another rail: to the tray's GPU on that rail, then the leaf of the rack and a spine.
  CHECK(route_text(*t, 0, 73) ==
        "node0.gpu0->domain0.nvswitch domain0.nvswitch->node0.gpu1 node0.gpu1->node0.nic1 node0.nic1->leaf0.1 "
        "leaf0.1->spine0.0 spine0.0->leaf1.1 leaf1.1->node18.nic1 node18.nic1->node18.gpu1");
}

TEST_CASE("torus routes go dimension by dimension, the short way round, a tie the positive way") {
  const auto t = built(torus({4, 3}), 12);
  CHECK(route_text(*t, 0, 1) ==
        "node0.gpu0->node0.nic0 node0.nic0->router0.0 router0.0->router1.0 router1.0->node1.nic0 "
        "node1.nic0->node1.gpu0");
  const auto between = [&](DeviceId from, DeviceId to) {
    std::string path;
    for (const LinkId id : route(*t, from, to))
      if (const Link& l = t->links()[static_cast<std::size_t>(id)]; l.level == LinkLevel::leaf)
        path += t->vertex_name(l.to).substr(6) + " ";
    return path;
  };
  CHECK(between(0, 3) == "3.0 ");           // −1 round the ring of 4
  CHECK(between(0, 2) == "1.0 2.0 ");       // a tie
  CHECK(between(2, 0) == "3.0 0.0 ");       // also positive, equally long
  CHECK(between(0, 11) == "3.0 3.2 ");      // (3, 2): first dimension first
  CHECK(between(5, 11) == "2.1 3.1 3.2 ");  // (1,1) → (3,2)
  const auto mesh = built(torus({4, 3}, false), 12);
  CHECK(route(*mesh, 0, 3).size() == 4 + 3);  // no way round
}

TEST_CASE("a dragonfly of full size has one global link a pair of groups") {
  const auto t = built(dragonfly(), 40);
  // Group 0's slot o goes to group o + 1, on router o; group 2's link to group 0 is slot (0−2−1) mod 5 = 2.
  CHECK(route_text(*t, 0, 16 + 4) ==
        "node0.gpu0->node0.nic0 node0.nic0->router0.0 router0.0->router0.1 router0.1->router2.2 router2.2->node20.nic0 "
        "node20.nic0->node20.gpu0");
  CHECK(latency(*t, 0, 20) == nanoseconds(1000 + 130 + (130 + 300) + 130 + 1000));
  ClusterSpec spec = dragonfly();
  spec.scale_out.dragonfly.valiant = true;
  const auto valiant = built(spec, 40);
  for (const DeviceId to : {8, 17, 39}) {
    int global = 0;
    for (const LinkId id : route(*valiant, 0, to))
      if (valiant->links()[static_cast<std::size_t>(id)].level == LinkLevel::core) ++global;
    CHECK(global == 2);
  }
  CHECK(route(*valiant, 0, 2) == route(*t, 0, 2));  // inside a group nothing is gained
  spec.nodes = 48;
  CHECK(check_cluster(spec, 48).at(0).message == "48 nodes need 6 groups, but a group has only 4 global links");
}

TEST_CASE("one switch joins all NICs") {
  ClusterSpec spec = superpod();
  spec.scale_out.fabric = FabricKind::single_switch;
  const auto t = built(spec, 100);
  CHECK(route_text(*t, 1, 8 * 99 + 2) ==
        "node0.gpu1->node0.nic1 node0.nic1->leaf0.0 leaf0.0->node99.nic2 node99.nic2->node99.gpu2");
}

TEST_CASE("GPUs without a scale-up network talk over their NICs, over PCIe they share the host link") {
  ClusterSpec spec = superpod();
  spec.scale_up = {};
  CHECK(!built(spec, 1)->same_domain(0, 1));
  CHECK(route(*built(spec, 2), 0, 8).size() == 4);
  spec.scale_up.kind = ScaleUpKind::pcie;
  const auto t = built(spec, 2);
  CHECK(route_text(*t, 0, 1) == "node0.gpu0->node0.host node0.host->node0.gpu1");
  CHECK(route_text(*t, 0, 8) ==
        "node0.gpu0->node0.host node0.host->leaf0.0 leaf0.0->node1.host node1.host->node1.gpu0");
  CHECK(route(*t, 0, 1)[0] == route(*t, 0, 8)[0]);
}

TEST_CASE("an explicit graph takes the shortest way, ties by link") {
  const Result<YamlTree> tree = read_yaml_text(R"(
gpu: t4
nodes: 2
gpus_per_node: 2
graph:
  switches: [a, b, c]
  cables:
    - {from: node0.gpu0, to: a, bandwidth: 10 GB/s, latency: 1 us, level: scale_up}
    - {from: node0.gpu1, to: a, bandwidth: 10 GB/s, latency: 1 us, level: scale_up}
    - {from: a, to: c, bandwidth: 5 GB/s}
    - {from: a, to: b, bandwidth: 5 GB/s}
    - {from: a, to: b, bandwidth: 5 GB/s}
    - {from: node1.gpu0, to: b, bandwidth: 10 GB/s, level: nic}
    - {from: node1.gpu1, to: c, bandwidth: 10 GB/s, level: nic}
    - {from: c, to: b, bandwidth: 5 GB/s}
)",
                                               "x.yaml");
  REQUIRE(tree.ok());
  auto spec = read_cluster(*tree, tree->root(), "");
  if (!spec) FAIL(render(spec.errors()));
  const auto t = built(*spec, 2);
  CHECK(route_text(*t, 0, 1) == "node0.gpu0->a a->node0.gpu1");
  CHECK(route_text(*t, 0, 2) == "node0.gpu0->a a->b b->node1.gpu0");  // the first of the two cables
  CHECK(route(*t, 0, 2)[1] == 6);
  CHECK(t->link_name(8) == "a->b#1");
  CHECK(t->same_domain(0, 1));
  CHECK(!t->same_domain(0, 2));
  spec->graph.cables.erase(spec->graph.cables.begin() + 5);  // node1.gpu0 hangs in the air
  const auto broken = build_topology(*spec, 2);
  REQUIRE(!broken.ok());
  CHECK(broken.errors()[0].message == "no way from node1.gpu0 to node0.gpu0");
  spec->graph.cables[0].to = "d";
  CHECK(check_cluster(*spec, 2).at(0).path == "graph.cables[0].to");
}

}  // namespace orrery::hardware::shapes_test
