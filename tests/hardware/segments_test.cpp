// Jobs larger than an NVLink domain of 18 trays are given 16 of each (scale_up.segment).
#include <doctest/doctest.h>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware::segments_test {
namespace {

ClusterSpec racks(int nodes) {
  const auto spec = load_cluster("gb200-nvl72");
  REQUIRE_MESSAGE(spec.ok(), (spec.ok() ? "" : render(spec.errors())));
  ClusterSpec of = *spec;
  of.nodes = nodes;
  return of;
}

}  // namespace

TEST_CASE("a job of one domain, or of whole domains, has all of their nodes; others have segments") {
  for (const int nodes : {1, 16, 17, 18, 36, 144}) CHECK(allocated(racks(nodes)) == racks(nodes));
  for (const int nodes : {19, 32, 40, 64}) {
    const ClusterSpec job = allocated(racks(nodes));
    CHECK(job.scale_up.nodes_per_domain == 16);
    CHECK(job.scale_out.fat_tree.nodes_per_unit == 16);  // a leaf a rail and rack
    CHECK(job.nodes == nodes);
    CHECK(allocated(job) == job);
  }
  ClusterSpec whole = racks(32);
  whole.scale_up.segment = 0;
  CHECK(allocated(whole) == whole);
}

// 256 GPUs: groups of 32 neighbours stay on NVLink, of which three would not with racks of 72.
TEST_CASE("groups of a power of two do not straddle racks") {
  const auto straddling = [](const ClusterSpec& spec) {
    const auto topology = build_topology(spec, spec.nodes);
    REQUIRE(topology.ok());
    int count = 0;
    for (int first = 0; first < 256; first += 32) count += (*topology)->same_domain(first, first + 31) ? 0 : 1;
    return count;
  };
  CHECK(straddling(racks(64)) == 3);  // GPUs 64–95, 128–159 and 192–223 hold the borders 72, 144 and 216
  CHECK(straddling(allocated(racks(64))) == 0);
}

TEST_CASE("a segment is no larger than its domain") {
  ClusterSpec spec = racks(64);
  spec.scale_up.segment = 19;
  const Diagnostics errors = check_cluster(spec, 64);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].path == "scale_up.segment");
  CHECK(errors[0].message == "must be from 0 to the 18 nodes of a domain, got 19");
}

}  // namespace orrery::hardware::segments_test
