#include "orrery/hardware/placement.hpp"

#include <algorithm>
#include <set>

#include "clusters.hpp"
#include "orrery/hardware/catalogue.hpp"

namespace orrery::hardware::placement_test {
using namespace testing;

namespace {

std::vector<DeviceId> placed(Placement p, int ranks, const Topology& t) {
  const auto devices = place_ranks(p, ranks, t);
  if (!devices) FAIL(render(devices.errors()));
  return *devices;
}
using Devices = std::vector<DeviceId>;

}  // namespace

TEST_CASE("placements of twelve ranks on two nodes of eight") {
  const auto t = built(superpod(), 4);
  CHECK(placed({}, 12, *t) == Devices{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  CHECK(placed({PlacementKind::by_rail}, 12, *t) == Devices{0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13});
  CHECK(placed({PlacementKind::round_robin}, 12, *t) == placed({PlacementKind::by_rail}, 12, *t));
  CHECK(placed({PlacementKind::custom, 0, {5, 3}}, 2, *t) == Devices{5, 3});
}

TEST_CASE("rails run over trays, round robin over NVLink domains") {
  const auto spec = load_cluster("gb200-nvl72");
  REQUIRE(spec.ok());
  const auto t = built(*spec, 36);
  CHECK(placed({PlacementKind::by_rail}, 144, *t)[1] == 4);
  CHECK(placed({PlacementKind::round_robin}, 144, *t)[1] == 72);
}

TEST_CASE("random placement is a shuffle that the seed decides") {
  const auto t = built(superpod(), 4);
  const Devices a = placed({PlacementKind::random, 1, {}}, 24, *t);
  CHECK(a == placed({PlacementKind::random, 1, {}}, 24, *t));
  CHECK(a != placed({PlacementKind::random, 2, {}}, 24, *t));
  Devices sorted = a;
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == placed({}, 24, *t));
}

TEST_CASE("every kind gives each rank a device of its own") {
  const auto t = built(superpod(), 4);
  for (const auto kind :
       {PlacementKind::packed, PlacementKind::by_rail, PlacementKind::round_robin, PlacementKind::random})
    for (int ranks = 1; ranks <= 32; ++ranks) {
      const Devices devices = placed({kind, 3, {}}, ranks, *t);
      CHECK(std::set<DeviceId>(devices.begin(), devices.end()).size() == static_cast<std::size_t>(ranks));
      CHECK(*std::max_element(devices.begin(), devices.end()) < 32);
    }
}

TEST_CASE("impossible placements are refused") {
  const auto t = built(superpod(), 2);
  CHECK(place_ranks({}, 17, *t).errors()[0].message == "17 ranks do not fit on 16 devices");
  CHECK(place_ranks({}, 0, *t).errors()[0].path == "placement");
  CHECK(place_ranks({PlacementKind::custom, 0, {1}}, 2, *t).errors()[0].message ==
        "must list 2 devices, one a rank, not 1");
  CHECK(place_ranks({PlacementKind::custom, 0, {1, 1}}, 2, *t).errors()[0].message == "device 1 has a rank already");
  CHECK(place_ranks({PlacementKind::custom, 0, {1, 16}}, 2, *t).errors()[0].path == "placement.devices[1]");
}

}  // namespace orrery::hardware::placement_test
