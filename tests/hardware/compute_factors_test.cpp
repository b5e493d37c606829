// Whom a perturbation slows: the one device that is named, all of a node, and nobody else. Device and node 0 are names
// like any other.
#include <doctest/doctest.h>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/hardware/topology.hpp"

namespace orrery::hardware::compute_factors_test {

namespace {

Perturbation slow(int device, int node, double factor) {
  Perturbation p;
  p.device = device, p.node = node, p.compute_factor = p.bandwidth_factor = factor;
  return p;
}

ClusterSpec two_nodes(std::vector<Perturbation> perturb) {
  ClusterSpec spec = *load_cluster("dgx-h100");
  spec.nodes = 2;
  spec.perturb = std::move(perturb);
  return spec;
}

}  // namespace

TEST_CASE("a slow device is one device, a slow node is its eight") {
  const std::vector<double> all(16, 1.0);
  for (const int named : {0, 3, 8, 15}) {
    std::vector<double> expected = all;
    expected[static_cast<std::size_t>(named)] = 0.5;
    CHECK(compute_factors(two_nodes({slow(named, -1, 0.5)})) == expected);
  }
  for (const int node : {0, 1}) {
    std::vector<double> expected = all;
    for (std::size_t d = 0; d < 8; ++d) expected[static_cast<std::size_t>(node) * 8 + d] = 0.25;
    CHECK(compute_factors(two_nodes({slow(-1, node, 0.25)})) == expected);
  }
  // Both named of one device: the factors multiply.
  std::vector<double> expected(16, 1.0);
  for (std::size_t d = 0; d < 8; ++d) expected[d] = 0.5;
  expected[0] = 0.25;
  CHECK(compute_factors(two_nodes({slow(0, -1, 0.5), slow(-1, 0, 0.5)})) == expected);
  CHECK(compute_factors(two_nodes({})) == all);
}

TEST_CASE("a device's links are slowed, both ways, and no other link") {
  for (const int named : {0, 5, 8}) {
    const auto healthy = build_topology(two_nodes({}), 2),
               slowed = build_topology(two_nodes({slow(named, -1, 0.5)}), 2);
    REQUIRE(healthy.ok());
    REQUIRE(slowed.ok());
    int changed = 0;
    for (std::size_t i = 0; i < (*healthy)->links().size(); ++i) {
      const Link &was = (*healthy)->links()[i], &is = (*slowed)->links()[i];
      const bool own = was.from == named || was.to == named;
      CHECK(is.bandwidth.value == (own ? was.bandwidth.value / 2 : was.bandwidth.value));
      changed += own ? 1 : 0;
    }
    CHECK(changed >= 2);
  }
}

}  // namespace orrery::hardware::compute_factors_test
