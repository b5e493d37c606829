// Bounds of what a cluster may be: the last value that is taken, and the first that is refused.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware::bounds_test {

namespace {

// A DGX H100 in a network of one switch: nothing but what a test changes can be wrong.
ClusterSpec one_switch(int nodes = 2) {
  ClusterSpec spec = *load_cluster("dgx-h100");
  spec.nodes = nodes;
  spec.scale_out.fabric = FabricKind::single_switch;
  return spec;
}

// The path of the first mistake, "" where there is none.
template <class Change>
std::string refused(const Change& change, int nodes = 2) {
  ClusterSpec spec = one_switch(nodes);
  change(spec);
  const Diagnostics errors = check_cluster(spec, spec.nodes);
  return errors.empty() ? "" : errors.front().path;
}

}  // namespace

TEST_CASE("sizes") {
  CHECK(refused([](ClusterSpec&) {}).empty());
  CHECK(refused([](ClusterSpec& s) { s.nodes = 0; }) == "nodes");
  CHECK(refused([](ClusterSpec& s) { s.nodes = 1; }).empty());
  CHECK(refused([](ClusterSpec& s) { s.gpus_per_node = 0; }) == "gpus_per_node");
  CHECK(refused([](ClusterSpec& s) { s.scale_up.nodes_per_domain = 0; }) == "scale_up.nodes_per_domain");
  CHECK(refused([](ClusterSpec& s) { s.nodes = 1 << 17; }).empty());  // 2^20 devices
  CHECK(refused([](ClusterSpec& s) { s.nodes = (1 << 17) + 1; }) == "nodes");
  CHECK(refused([](ClusterSpec& s) { s.scale_up.nodes_per_domain = 1 << 17; }).empty());
  CHECK(refused([](ClusterSpec& s) { s.scale_up.nodes_per_domain = (1 << 17) + 1; }) == "scale_up.nodes_per_domain");
  ClusterSpec spec = one_switch(4);
  CHECK(check_cluster(spec, 4).empty());
  CHECK(check_cluster(spec, 1).empty());
  CHECK(check_cluster(spec, 5).front().message == "5 nodes asked of a cluster of 4");
  CHECK(check_cluster(spec, 0).front().message == "0 nodes asked of a cluster of 4");
}

TEST_CASE("bandwidths and latencies") {
  struct Rate {
    const char* path;
    BytesPerSecond& (*of)(ClusterSpec&);
  };
  for (const Rate& r :
       {Rate{"scale_up.bandwidth", [](ClusterSpec& s) -> BytesPerSecond& { return s.scale_up.bandwidth; }},
        Rate{"scale_out.nic_bandwidth", [](ClusterSpec& s) -> BytesPerSecond& { return s.scale_out.nic_bandwidth; }},
        Rate{"pcie_bandwidth", [](ClusterSpec& s) -> BytesPerSecond& { return s.pcie_bandwidth; }}}) {
    CAPTURE(std::string(r.path));
    const std::int64_t most = 1'000'000'000'000'000;
    CHECK(refused([&](ClusterSpec& s) { r.of(s) = {most}; }).empty());
    CHECK(refused([&](ClusterSpec& s) { r.of(s) = {most + 1}; }) == r.path);
    CHECK(refused([&](ClusterSpec& s) { r.of(s) = {1}; }).empty());
    CHECK(refused([&](ClusterSpec& s) { r.of(s) = {0}; }) == r.path);
  }
  struct Delay {
    const char* path;
    Time& (*of)(ClusterSpec&);
  };
  for (const Delay& d :
       {Delay{"scale_up.latency", [](ClusterSpec& s) -> Time& { return s.scale_up.latency; }},
        Delay{"scale_out.nic_latency", [](ClusterSpec& s) -> Time& { return s.scale_out.nic_latency; }},
        Delay{"scale_out.switch_latency", [](ClusterSpec& s) -> Time& { return s.scale_out.switch_latency; }},
        Delay{"pcie_latency", [](ClusterSpec& s) -> Time& { return s.pcie_latency; }}}) {
    CAPTURE(std::string(d.path));
    CHECK(refused([&](ClusterSpec& s) { d.of(s) = {kPicosecondsPerSecond}; }).empty());
    CHECK(refused([&](ClusterSpec& s) { d.of(s) = {kPicosecondsPerSecond + 1}; }) == d.path);
    CHECK(refused([&](ClusterSpec& s) { d.of(s) = {0}; }).empty());
    CHECK(refused([&](ClusterSpec& s) { d.of(s) = {-1}; }) == d.path);
  }
}

// 30 GPUs all joined to each other: 30 · 29 / 2 cables a node, and two from each GPU to its NIC and on: 495 of 2^24.
TEST_CASE("cables") {
  const auto mesh = [](int nodes) {
    return refused([&](ClusterSpec& s) {
      s.nodes = nodes, s.gpus_per_node = s.scale_out.nics_per_node = 30;
      s.scale_up.kind = ScaleUpKind::full_mesh;
    });
  };
  CHECK((1 << 24) / 495 == 33893);
  CHECK(mesh(33893).empty());
  CHECK(mesh(33894) == "nodes");
  // Each GPU of a mesh needs a byte a second to each of its peers: 8 GPUs.
  const auto slow = [](std::int64_t bandwidth) {
    return refused(
        [&](ClusterSpec& s) { s.scale_up.kind = ScaleUpKind::full_mesh, s.scale_up.bandwidth = {bandwidth}; });
  };
  CHECK(slow(8).empty());
  CHECK(slow(7) == "scale_up.bandwidth");
}

TEST_CASE("no network between nodes") {
  const auto apart = [](int nodes, ScaleUpKind kind, int per_domain, int gpus = 8) {
    return refused([&](ClusterSpec& s) {
      s.nodes = nodes, s.gpus_per_node = gpus, s.scale_out.fabric = FabricKind::none;
      s.scale_up.kind = kind, s.scale_up.nodes_per_domain = per_domain;
    });
  };
  CHECK(apart(1, ScaleUpKind::switched, 1).empty());
  CHECK(apart(2, ScaleUpKind::switched, 1) == "scale_out");
  CHECK(apart(2, ScaleUpKind::switched, 2).empty());
  CHECK(apart(1, ScaleUpKind::none, 1) == "scale_out");
  CHECK(apart(1, ScaleUpKind::none, 1, 1).empty());
}

TEST_CASE("NICs divide the GPUs of a node") {
  const auto nics = [](int count) { return refused([&](ClusterSpec& s) { s.scale_out.nics_per_node = count; }); };
  for (const int count : {1, 2, 4, 8}) CHECK(nics(count).empty());
  for (const int count : {0, 3, 16, -1}) CHECK(nics(count) == "scale_out.nics_per_node");
}

TEST_CASE("a cube of DGX-1 and GPUs behind PCIe are single nodes") {
  const auto kind = [](ScaleUpKind k, int gpus, int per_domain) {
    return refused([&](ClusterSpec& s) {
      s.scale_up.kind = k, s.scale_up.nodes_per_domain = per_domain, s.gpus_per_node = gpus;
      s.scale_out.nics_per_node = 1;
    });
  };
  CHECK(kind(ScaleUpKind::hybrid_cube_mesh, 8, 1).empty());
  CHECK(kind(ScaleUpKind::hybrid_cube_mesh, 4, 1) == "scale_up.kind");
  CHECK(kind(ScaleUpKind::hybrid_cube_mesh, 8, 2) == "scale_up.kind");
  CHECK(kind(ScaleUpKind::pcie, 4, 1).empty());
  CHECK(kind(ScaleUpKind::pcie, 4, 2) == "scale_up.nodes_per_domain");
}

TEST_CASE("ports and ratios of a fat tree") {
  const auto tree = [](auto change) {
    return refused([&](ClusterSpec& s) {
      s.scale_out.fabric = FabricKind::fat_tree;
      s.scale_out.fat_tree = {};
      s.scale_out.fat_tree.nodes_per_unit = 2;
      change(s.scale_out.fat_tree);
    });
  };
  const std::string radix = "scale_out.fat_tree.radix", ratio = "scale_out.fat_tree.oversubscription";
  CHECK(tree([](FatTree& t) { t.radix = 65'536; }).empty());
  CHECK(tree([](FatTree& t) { t.radix = 65'537; }) == radix);
  CHECK(tree([](FatTree& t) { t.radix = 1; }) == radix);
  CHECK(tree([](FatTree& t) { t.spine_radix = 2; }).empty());
  CHECK(tree([](FatTree& t) { t.spine_radix = 1; }) == radix);
  CHECK(tree([](FatTree& t) { t.spine_radix = 65'537; }) == radix);
  CHECK(tree([](FatTree& t) { t.nodes_per_unit = 0; }) == "scale_out.fat_tree.nodes_per_unit");
  CHECK(tree([](FatTree& t) { t.nodes_per_unit = 1; }).empty());
  CHECK(tree([](FatTree& t) { t.units_per_pod = -1; }) == "scale_out.fat_tree.units_per_pod");
  CHECK(tree([](FatTree& t) { t.leaves_per_unit = 0; }) == "scale_out.fat_tree.leaves_per_unit");
  CHECK(tree([](FatTree& t) { t.leaves_per_unit = 8; }).empty());
  CHECK(tree([](FatTree& t) { t.leaves_per_unit = 9; }) == "scale_out.fat_tree.leaves_per_unit");
  CHECK(tree([](FatTree& t) { t.leaf_oversubscription = {1000, 1000}; }).empty());
  CHECK(tree([](FatTree& t) { t.leaf_oversubscription = {1001, 1000}; }) == ratio);
  CHECK(tree([](FatTree& t) { t.leaf_oversubscription = {1000, 1001}; }) == ratio);
  CHECK(tree([](FatTree& t) { t.pod_oversubscription = {0, 1}; }) == ratio);
  CHECK(tree([](FatTree& t) { t.pod_oversubscription = {1, 0}; }) == ratio);
}

}  // namespace orrery::hardware::bounds_test
