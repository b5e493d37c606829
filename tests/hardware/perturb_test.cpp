// Links and GPUs that are slow or down.
#include <algorithm>

#include "clusters.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/hardware/routing.hpp"

namespace orrery::hardware::perturb_test {
using namespace testing;

namespace {

ClusterSpec with(Perturbation p) {
  ClusterSpec spec = superpod();
  spec.perturb.push_back(std::move(p));
  return spec;
}
Perturbation link(std::string name, double factor, bool down = false) {
  return {std::move(name), -1, -1, factor, down};
}
Perturbation device(int d) {
  return {"", d, -1, 1.0, true};
}

const Link& link_at(const Topology& t, LinkId id) {
  return t.links()[static_cast<std::size_t>(id)];
}

}  // namespace

TEST_CASE("a slow link is slow one way, or both, and nothing else changes") {
  const auto plain = built(superpod(), 64);
  const auto slow = built(with(link("node1.nic3->leaf0.3", 0.5)), 64);
  int changed = 0;
  for (std::size_t i = 0; i < plain->links().size(); ++i)
    changed += plain->links()[i].bandwidth != slow->links()[i].bandwidth;
  CHECK(changed == 1);
  const auto up = route(*slow, 11, 3), down = route(*slow, 3, 11);
  CHECK(up == route(*plain, 11, 3));
  CHECK(link_at(*slow, up[1]).bandwidth == gigabytes(25));
  CHECK(link_at(*slow, down[2]).bandwidth == gigabytes(50));
  const auto both = built(with(link("leaf0.3--node1.nic3", 0.5)), 64);
  CHECK(link_at(*both, down[2]).bandwidth == gigabytes(25));
  CHECK(link_at(*both, up[1]).bandwidth == gigabytes(25));
}

TEST_CASE("a broken uplink is gone round over another spine, by as short a route") {
  const auto plain = built(superpod(), 64);
  const auto before = route(*plain, 0, 8 * 45);
  const auto broken = built(with(link(plain->link_name(before[2]), 1, true)), 64);
  const auto after = route(*broken, 0, 8 * 45);
  CHECK(after.size() == before.size());
  CHECK(std::find(after.begin(), after.end(), before[2]) == after.end());
  CHECK(spelled(*broken, after).find("leaf0.0->spine0.6") != std::string::npos);  // the next spine
  CHECK(route(*broken, 8 * 45, 0) == route(*plain, 8 * 45, 0));                   // the way back is whole
  CHECK(route(*broken, 1, 8 * 45 + 1) == route(*plain, 1, 8 * 45 + 1));
}

TEST_CASE("a broken NIC is gone round over a peer's") {
  const auto t = built(with(link("node0.nic0--leaf0.0", 1, true)), 2);
  CHECK(t->connected(0, 8));
  const std::string path = route_text(*t, 0, 8);
  CHECK(path.starts_with("node0.gpu0->node0.nvswitch node0.nvswitch->node0.gpu"));
  CHECK(path.ends_with("->node1.gpu0"));
  CHECK(path.find("node0.nic0") == std::string::npos);
}

TEST_CASE("a GPU that is down is an error that names both ends") {
  const auto t = built(with(device(9)), 2);
  CHECK(!t->connected(0, 9));
  CHECK(t->connected(0, 8));
  const auto there = find_route(*t, 0, 8);
  REQUIRE(there.ok());
  CHECK(*there == testing::route(*t, 0, 8));
  CHECK_FALSE(there->empty());
  const auto route = find_route(*t, 0, 9);
  REQUIRE(!route.ok());
  CHECK(route.errors()[0].message ==
        "no route from node0.gpu0 (device 0) to node1.gpu1 (device 9): what joins them is down");
  const std::vector<DeviceId> group{0, 8, 9, 10};
  const Diagnostics errors = check_connected(*t, group);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].message == route.errors()[0].message);
  CHECK(check_connected(*t, std::vector<DeviceId>{0, 8, 10}).empty());
  std::vector<LinkId> out;
  CHECK_THROWS_AS(t->route(0, 9, out), InternalError);
}

TEST_CASE("a node's links all slow down together") {
  const auto t = built(with({"", -1, 1, 0.25, false}), 2);
  CHECK(link_at(*t, route(*t, 8, 9)[0]).bandwidth.value == 112'500'000'000);
  CHECK(link_at(*t, route(*t, 0, 1)[0]).bandwidth == gigabytes(450));
}

TEST_CASE("a perturbation of what is not there is refused") {
  const auto message = [](Perturbation p) {
    const auto t = build_topology(with(std::move(p)), 2);
    REQUIRE(!t.ok());
    return t.errors()[0].path + ": " + t.errors()[0].message;
  };
  CHECK(message(link("node7.nic3->leaf0.3", 1)) == "perturb[0].link: no link is called 'node7.nic3->leaf0.3'");
  CHECK(message(device(16)) == "perturb[0].device: there are only 16 GPUs in 2 nodes");
  CHECK(message({"", -1, 2, 1.0, true}) == "perturb[0].node: there are only 16 GPUs in 2 nodes");
  CHECK(message({}) == "perturb[0]: exactly one of link, device and node must be named");
  CHECK(message(link("node0.nic3->leaf0.3", 0)) == "perturb[0].bandwidth_factor: must be more than 0 and at most 1000");
  // Whole cases of the limit.
  Perturbation p = device(0);
  for (double Perturbation::*factor : {&Perturbation::bandwidth_factor, &Perturbation::compute_factor}) {
    const auto with_factor = [&](double value) {
      Perturbation changed = p;
      changed.*factor = value;
      return build_topology(with(changed), 2).ok();
    };
    CHECK(with_factor(1000));
    CHECK_FALSE(with_factor(1000.5));
  }
}

}  // namespace orrery::hardware::perturb_test
