// Published counts, and bisection bandwidth and diameter against closed forms.
#include "orrery/hardware/summary.hpp"

#include "clusters.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/hardware/graph_export.hpp"

namespace orrery::hardware::summary_test {
using namespace testing;

TEST_CASE("SuperPODs have the published numbers of switches") {
  // NVIDIA DGX SuperPOD B200 reference architecture, table of scale: nodes, GPUs, leaf, spine, core.
  struct Row {
    int nodes, gpus, leaf, spine, core;
  };
  const auto b200 = load_cluster("dgx-b200");
  REQUIRE(b200.ok());
  for (const Row& row :
       {Row{64, 512, 16, 8, 0}, Row{128, 1024, 32, 16, 0}, Row{256, 2048, 64, 32, 0}, Row{512, 4096, 128, 128, 64},
        Row{1024, 8192, 256, 256, 128}, Row{2048, 16384, 512, 512, 256}}) {
    CAPTURE(row.nodes);
    const auto t = built(*b200, row.nodes);
    const SwitchCounts counts = count_switches(*t);
    CHECK(t->devices() == row.gpus);
    CHECK(counts.leaf == row.leaf);
    CHECK(counts.spine == row.spine);
    CHECK(counts.core == row.core);
    CHECK(counts.scale_up == row.nodes);
    CHECK(counts.nics == row.gpus);
  }
  // B300 with 144-port XDR switches: units of 72 nodes (576 GPUs) with 8 leaves; 144 leaves have 72 spines, still two
  // levels (same document).
  ClusterSpec b300 = superpod();
  b300.scale_out.fat_tree.nodes_per_unit = 72;
  b300.scale_out.fat_tree.radix = 144;
  const SwitchCounts counts = count_switches(*built(b300, 18 * 72));
  CHECK(counts.leaf == 144);
  CHECK(counts.spine == 72);
  CHECK(counts.core == 0);
  CHECK(count_switches(*built(b300, 72)).spine == 4);
}

TEST_CASE("a pod of 3072 GPUs is non-blocking inside and 7:1 towards the others") {
  const auto spec = load_cluster("rsc-h100");
  REQUIRE(spec.ok());
  const auto t = built(*spec, 768);  // two pods
  std::int64_t up = 0, into_spines = 0;
  for (std::size_t i = 0; i < t->links().size(); i += 2) {
    if (t->links()[i].level == LinkLevel::spine) up += t->links()[i].bandwidth.value;
    if (t->links()[i].level == LinkLevel::leaf) into_spines += t->links()[i].bandwidth.value;
  }
  const std::int64_t nics = 2 * 3072 * 50'000'000'000LL;
  CHECK(into_spines == 2 * nics);  // 1:2
  CHECK(up >= nics / 7);
  CHECK(up <= nics / 7 / 100 * 102);  // whole cables
}

TEST_CASE("summary of small systems") {
  const auto one = summarize(*built(superpod(), 1));
  CHECK(one.bisection_bandwidth == gigabytes(4 * (450 + 50)));  // four GPUs send over the NVSwitch and their NICs
  CHECK(one.switches.scale_up == 1);
  CHECK(one.diameter == 3 - 1);
  const auto two = summarize(*built(superpod(), 2));
  CHECK(two.devices == 16);
  CHECK(two.nodes == 2);
  CHECK(two.switches.leaf == 8);
  CHECK(two.bisection_bandwidth == gigabytes(8 * 50));  // all NICs of a node
  CHECK(two.diameter == 6);                             // NVLink up and down, PCIe, NIC, NIC, PCIe
  // 16 NVLink, 16 PCIe, 16 NIC cables, 8 leaves with 32 uplinks.
  CHECK(two.cables == 16 + 16 + 16 + 8 * 32);
  const auto pods = summarize(*built(superpod(), 512));
  CHECK(pods.bisection_bandwidth == gigabytes(4096 / 2 * 50));  // non-blocking
  CHECK(pods.diameter == 2 + 2 + 2 + 4);                        // over a core
}

TEST_CASE("bisection of a ring, a torus and an oversubscribed tree") {
  ClusterSpec spec = superpod();
  spec.scale_up = {};
  spec.gpus_per_node = 1;
  spec.scale_out.nics_per_node = 1;
  spec.scale_out.nic_bandwidth = gigabytes(1000);
  spec.pcie_bandwidth = gigabytes(1000);
  spec.scale_out.fabric = FabricKind::torus;
  spec.scale_out.torus = {{8}, true, gigabytes(50)};
  CHECK(bandwidth_across(*built(spec, 8), 4) == gigabytes(2 * 50));  // a ring is cut twice
  spec.scale_out.torus.dimensions = {4, 8};
  CHECK(bandwidth_across(*built(spec, 32), 16) == gigabytes(4 * 2 * 50));
  spec.scale_out.torus.wrap = false;
  CHECK(bandwidth_across(*built(spec, 32), 16) == gigabytes(4 * 50));
  ClusterSpec tree = superpod();
  tree.scale_out.fat_tree.leaf_oversubscription = {4, 1};
  CHECK(bandwidth_across(*built(tree, 64), 256) == gigabytes(256 / 4 * 50));
}

TEST_CASE("DOT and GraphML hold every vertex and cable") {
  const auto count = [](const std::string& text, const std::string& word) {
    int n = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
    return n;
  };
  const auto t = built(superpod(), 2);
  const std::string dot = to_dot(*t);
  CHECK(dot.starts_with("graph G {\n"));
  CHECK(count(dot, "shape=box") == 16);
  CHECK(count(dot, "--") == 304);
  CHECK(dot.find("0--16 [label=\"450 GB/s\", class=scale_up];") != std::string::npos);
  CHECK(dot.find("[label=\"node1.nvswitch\", shape=ellipse]") != std::string::npos);
  const std::string xml = to_graphml(*t);
  CHECK(count(xml, "<edge ") == 608);
  CHECK(count(xml, "<node ") == t->vertices());
  CHECK(count(xml, ">50000000000<") == 2 * (16 + 8 * 32));
}

}  // namespace orrery::hardware::summary_test
