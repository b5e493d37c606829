// Routes of the common cluster, derived by hand.
#include <algorithm>

#include "clusters.hpp"

namespace orrery::hardware::fat_tree_test {
using namespace testing;

TEST_CASE("inside a node a route goes up to the NVSwitch and down") {
  const auto t = built(superpod(), 2);
  CHECK(t->devices() == 16);
  CHECK(route_text(*t, 0, 7) == "node0.gpu0->node0.nvswitch node0.nvswitch->node0.gpu7");
  CHECK(latency(*t, 0, 7) == nanoseconds(901));  // odd picoseconds of the halves sum to the whole
  CHECK(t->same_domain(0, 7));
  CHECK(!t->same_domain(7, 8));
  CHECK(route(*t, 5, 5).empty());
}

TEST_CASE("nodes of one unit meet at the leaf of the rail") {
  const auto t = built(superpod(), 2);
  CHECK(route_text(*t, 3, 11) ==
        "node0.gpu3->node0.nic3 node0.nic3->leaf0.3 leaf0.3->node1.nic3 node1.nic3->node1.gpu3");
  CHECK(latency(*t, 3, 11) == nanoseconds(1000 + 130 + 1000));  // NIC, one switch, NIC
}

TEST_CASE("another rail is reached by NVLink to the peer that owns it") {
  const auto t = built(superpod(), 2);
  CHECK(route_text(*t, 3, 13) ==
        "node0.gpu3->node0.nvswitch node0.nvswitch->node0.gpu5 node0.gpu5->node0.nic5 node0.nic5->leaf0.5 "
        "leaf0.5->node1.nic5 node1.nic5->node1.gpu5");
  ClusterSpec spec = superpod();
  spec.scale_out.rail_hop = false;
  // Without it the packet changes rail above the leaves. 16 leaves with 32 uplinks on 64 ports need 8 spines; the
  // receiver is node 1, slot 1 of its leaf, so spine 1.
  CHECK(route_text(*built(spec, 2), 3, 13) ==
        "node0.gpu3->node0.nic3 node0.nic3->leaf0.3 leaf0.3->spine0.1 spine0.1->leaf0.5 leaf0.5->node1.nic5 "
        "node1.nic5->node1.gpu5");
}

TEST_CASE("units meet at the spines, spread by the receiver") {
  const auto t = built(superpod(), 64);  // 2 units, 16 leaves, 8 spines, 4 cables from each leaf to each spine
  // Receiver node 32 + 13: slot 13 = spine 5, cable 1 of the four.
  CHECK(route_text(*t, 0, 8 * 45) ==
        "node0.gpu0->node0.nic0 node0.nic0->leaf0.0 leaf0.0->spine0.5#1 spine0.5->leaf1.0#1 leaf1.0->node45.nic0 "
        "node45.nic0->node45.gpu0");
  CHECK(latency(*t, 0, 8 * 45) == nanoseconds(2 * 1000 + 3 * 130));
}

TEST_CASE("pods meet at the cores") {
  const auto t = built(superpod(), 512);  // 4 pods of 4 units; 32 spines a pod; 2 cores a group
  // Receiver node 130 = pod 1, unit 4, slot 2: spine 2; it sits on leaf 0 of its pod, so core 0 of the group.
  CHECK(route_text(*t, 0, 8 * 130) ==
        "node0.gpu0->node0.nic0 node0.nic0->leaf0.0 leaf0.0->spine0.2 spine0.2->core2.0 core2.0->spine1.2 "
        "spine1.2->leaf4.0 leaf4.0->node130.nic0 node130.nic0->node130.gpu0");
  CHECK(latency(*t, 0, 8 * 130) == nanoseconds(2 * 1000 + 5 * 130));
}

TEST_CASE("GPUs share a NIC where there are fewer NICs") {
  ClusterSpec spec = superpod();
  spec.scale_out.nics_per_node = 4;
  spec.scale_out.fat_tree.leaves_per_unit = 1;
  spec.scale_out.fat_tree.nodes_per_unit = 8;
  const auto t = built(spec, 2);
  CHECK(route_text(*t, 4, 8 + 7) ==
        "node0.gpu4->node0.nic2 node0.nic2->leaf0.0 leaf0.0->node1.nic3 node1.nic3->node1.gpu7");
}

TEST_CASE("shifts are free of conflicts under destination routing") {
  // D-mod-K on a non-blocking tree: for any shift of the nodes, no link carries two routes.
  const auto t = built(superpod(), 512);
  for (const int shift : {1, 7, 32, 64, 128, 200, 511}) {
    std::vector<int> uses(t->links().size());
    for (int node = 0; node < 512; ++node)
      for (const LinkId id : route(*t, node * 8, (node + shift) % 512 * 8)) ++uses[static_cast<std::size_t>(id)];
    CAPTURE(shift);
    CHECK(*std::max_element(uses.begin(), uses.end()) == 1);
  }
}

TEST_CASE("what cannot be built is refused with its place") {
  ClusterSpec spec = superpod();
  spec.nodes = 4;
  spec.scale_out.nics_per_node = 3;
  spec.scale_out.nic_bandwidth = {};
  const Diagnostics errors = check_cluster(spec, 4);
  REQUIRE(errors.size() == 2);
  CHECK(render(errors[0]) ==
        "superpod: scale_out.nics_per_node: must divide the 8 GPUs of a node, got 3\n"
        "  help: several NICs of one GPU count as one with their summed bandwidth\n");
  CHECK(errors[1].path == "scale_out.nic_bandwidth");
  CHECK(!build_topology(spec, 4).ok());
  CHECK(check_cluster(superpod(), 0).at(0).path == "nodes");
  spec = superpod();
  spec.nodes = 2;
  CHECK(check_cluster(spec, 3).at(0).message == "3 nodes asked of a cluster of 2");
  spec.scale_out.fabric = FabricKind::none;
  CHECK(check_cluster(spec, 2).at(0).path == "scale_out");
  CHECK(check_cluster(spec, 1).empty());
}

}  // namespace orrery::hardware::fat_tree_test
