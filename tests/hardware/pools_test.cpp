// A cluster of pools: what is where, and how one pool reaches another.
#include <set>

#include "clusters.hpp"
#include "orrery/core/yaml.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/hardware/placement.hpp"

namespace orrery::hardware::pools_test {
using namespace testing;

namespace {

// 2 nodes of 8 H100 (NICs of 50 GB/s), then one of 8 A100 (of 25 GB/s).
ClusterSpec two_pools(const char* more = "") {
  const auto tree = read_yaml_text(std::string("pools: [{name: new, type: dgx-h100, nodes: 2}, {name: old, type: "
                                               "selene, nodes: 1}]\n") +
                                       more,
                                   "pools.yaml");
  REQUIRE(tree.ok());
  const auto spec = read_cluster(*tree, tree->root(), "cluster");
  REQUIRE_MESSAGE(spec.ok(), render(spec.errors()));
  return *spec;
}

}  // namespace

TEST_CASE("nodes of a cluster of pools are those of the pools in turn") {
  const ClusterSpec spec = two_pools();
  CHECK(spec.nodes == 3);
  CHECK(spec.gpus_per_node == 8);
  CHECK(spec.name == "new + old");
  for (int node = 0; node < 3; ++node) CHECK(pool_of_node(spec, node) == (node < 2 ? 0 : 1));
  const auto t = built(spec, 3);
  CHECK(t->devices() == 24);
  CHECK(t->vertex_name(9) == "new.node1.gpu1");
  CHECK(t->vertex_name(16) == "old.node0.gpu0");
  CHECK(t->same_domain(16, 23));
  CHECK(!t->same_domain(15, 16));
}

TEST_CASE("routes are ways through the graph, each link named once") {
  const auto t = built(two_pools(), 3);
  std::set<std::string> names;
  for (std::size_t l = 0; l < t->links().size(); ++l) names.insert(t->link_name(static_cast<LinkId>(l)));
  CHECK(names.size() == t->links().size());
  std::vector<LinkId> route;
  for (DeviceId a = 0; a < t->devices(); ++a)
    for (DeviceId b = 0; b < t->devices(); ++b) {
      route.clear();
      t->route(a, b, route);
      VertexId at = a;
      for (const LinkId id : route) {
        const Link& link = t->links()[static_cast<std::size_t>(id)];
        CHECK(link.from == at);
        const Link& back = t->links()[static_cast<std::size_t>(id ^ 1)];
        CHECK(back.from == link.to);
        at = link.to;
      }
      CHECK(at == b);
    }
}

// GPU 1 of node 0 to GPU 2 of the A100 node: PCIe, its NIC, its leaf to the gateway, gateway to the switch between and
// down to the other's, leaf, NIC, PCIe. Without a figure the way of a pool is as fast as its NICs: 2 · 8 · 50 GB/s and
// 8 · 25 GB/s; the latency is that of both ways.
TEST_CASE("what goes to another pool takes the way between") {
  const auto bandwidths = [](const ClusterSpec& spec) {
    const auto t = built(spec, 3);
    std::vector<LinkId> route;
    t->route(1, 18, route);
    REQUIRE(route.size() == 8);
    std::vector<std::int64_t> result;
    for (const LinkId id : route) result.push_back(t->links()[static_cast<std::size_t>(id)].bandwidth.value);
    return result;
  };
  const std::vector<std::int64_t> free = bandwidths(two_pools());
  CHECK(free[1] == 50'000'000'000);
  CHECK(free[3] == 16 * free[1]);
  CHECK(free[4] == 8 * free[6]);
  CHECK(free[6] == 25'000'000'000);
  const ClusterSpec narrow = two_pools("between: {bandwidth: 10 GB/s, latency: 20 us}");
  const std::vector<std::int64_t> narrowed = bandwidths(narrow);
  CHECK(narrowed[3] == 10'000'000'000);
  CHECK(narrowed[4] == 10'000'000'000);
  const auto t = built(narrow, 3);
  std::vector<LinkId> route;
  t->route(1, 18, route);
  CHECK(t->links()[static_cast<std::size_t>(route[3])].latency == nanoseconds(20'000));
  // Within a pool nothing of it is met.
  route.clear();
  t->route(1, 9, route);
  for (const LinkId id : route) CHECK(t->link_name(id).find("gateway") == std::string::npos);
}

TEST_CASE("ranks stand where their stage or replica is put, in turn") {
  const ClusterSpec spec = two_pools();
  Placement p{PlacementKind::on_pools};
  p.stages = {"old", "new", "new"};
  const auto devices = place_on_pools(p, {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}}, spec);
  REQUIRE(devices.ok());
  CHECK(*devices == std::vector<DeviceId>{16, 17, 0, 1, 2, 3});
}

TEST_CASE("replicas of one stage stand on several pools") {
  const ClusterSpec spec = two_pools();
  Placement p{PlacementKind::on_pools};
  const std::vector<PlaceInRun> places{{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  p.stages = {"old+new", "new"};
  const auto devices = place_on_pools(p, places, spec);
  REQUIRE(devices.ok());
  CHECK(*devices == std::vector<DeviceId>{16, 0, 1, 2});
  const auto refused = [&](std::vector<std::string> stages) {
    p.stages = std::move(stages);
    const auto wrong = place_on_pools(p, places, spec);
    REQUIRE(!wrong.ok());
    return wrong.errors().front().path + ": " + wrong.errors().front().message;
  };
  CHECK(refused({"new+new+old", "new"}) == "placement.stages[0]: 3 pools for 2 replicas");
  CHECK(refused({"new", "new+odl"}) == "placement.stages[1]: no pool is called 'odl', there are new, old");
  p = {PlacementKind::on_pools};
  p.replicas = {"old+new", "new"};  // of a replica all stages stand on one
  CHECK(place_on_pools(p, places, spec).errors().front().message == "no pool is called 'old+new', there are new, old");
}

}  // namespace orrery::hardware::pools_test
