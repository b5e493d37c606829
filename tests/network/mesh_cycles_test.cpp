// Rings on a mesh: each visits every member once, and all together take no link more often than it is there.
#include "network/mesh_cycles.hpp"

#include <doctest/doctest.h>

#include <map>
#include <numeric>
#include <set>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware::mesh_cycles_test {

namespace {

std::size_t check_cycles(const char* cluster, int members) {
  const auto spec = load_cluster(cluster);
  REQUIRE(spec.ok());
  const auto topology = build_topology(*spec, 1);
  REQUIRE(topology.ok());
  std::vector<DeviceId> group(static_cast<std::size_t>(members));
  std::iota(group.begin(), group.end(), 0);
  const auto cycles = network::mesh_cycles(group, **topology);
  std::map<LinkId, std::int64_t> uses;
  for (const auto& cycle : cycles) {
    CHECK(std::set(cycle.begin(), cycle.end()).size() == group.size());
    CHECK(cycle.size() == group.size());
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      std::vector<LinkId> route;
      (*topology)->route(cycle[i], cycle[(i + 1) % cycle.size()], route);
      REQUIRE(route.size() == 1);
      ++uses[route[0]];
    }
  }
  std::int64_t unit = 0;  // a cable may be several links of the thinnest's bandwidth
  for (const auto& [link, count] : uses) {
    const std::int64_t bandwidth = (*topology)->links()[static_cast<std::size_t>(link)].bandwidth.value;
    unit = unit == 0 ? bandwidth : std::min(unit, bandwidth);
  }
  for (const auto& [link, count] : uses)
    CHECK(count * unit <= (*topology)->links()[static_cast<std::size_t>(link)].bandwidth.value);
  return cycles.size();
}

}  // namespace

TEST_CASE("rings side by side share no link of a mesh") {
  // K_n has ⌊(n − 1)/2⌋ cycles that share no edge (Walecki), each run both ways round.
  for (int n = 3; n <= 8; ++n) {
    CAPTURE(n);
    CHECK(check_cycles("hgx-mi300x", n) == static_cast<std::size_t>(2 * ((n - 1) / 2)));
  }
  CHECK(check_cycles("dgx-1-v100", 8) == 6);
}

}  // namespace orrery::hardware::mesh_cycles_test
