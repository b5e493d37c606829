// Phases of a call from its outline: α, κ, η and chunks by hand; the ranks of a group and the links that hops load.
#include "network/outline.hpp"

#include <doctest/doctest.h>

#include "nodes.hpp"

namespace orrery::network::outline_test {

namespace {

using hardware::DeviceId;

constexpr std::int64_t kMicro = 1'000'000;  // ps

// Two or three nodes of four: 100 GB/s and 2 us a hop inside, 10 GB/s and 6 us between.
test::Nodes nodes_of(int nodes) {
  return {nodes, 4, {100'000'000'000}, {10'000'000'000}, Time{2 * kMicro}, Time{6 * kMicro}};
}

// Of a call with one phase of these hops.
struct One {
  One(const test::Nodes& nodes, std::vector<DeviceId> group, std::vector<std::pair<DeviceId, DeviceId>> hops,
      PhaseShape shape, std::int32_t multiplicity = 1)
      : members(std::move(group)), of(members, nodes), outline(of) {
    HopLoads loads(nodes);
    for (const auto& [from, to] : hops) loads.hop(from, to, multiplicity);
    outline.add(loads, shape);
  }
  std::vector<DeviceId> members;
  Group of;
  Outline outline;
};

// To a picosecond: square roots are taken in doubles.
bool near(Time time, double us) {
  return std::abs(static_cast<double>(time.value) - us * kMicro) <= 1.5;
}

}  // namespace

TEST_CASE("a phase is its base, its steps and its bytes over the slowest link") {
  const test::Nodes nodes = nodes_of(1);
  const PhaseShape shape{.bytes = Bytes{3}, .divisor = 4, .scale_up_steps = 3};
  const One one(nodes, {0, 1, 2, 3}, {{0, 1}, {1, 2}, {2, 3}, {3, 0}}, shape);
  ProtocolTuning tuning;
  // 3/4 of 4 MB at 100 GB/s: 30 us; three steps of the 2 us that their routes take.
  CHECK(one.outline.time(Bytes{4'000'000}, tuning) == Time{36 * kMicro});
  tuning.base = Time{5 * kMicro}, tuning.scale_up_hop = Time{1 * kMicro};
  tuning.network_hop = Time{1000 * kMicro}, tuning.network_base = Time{1000 * kMicro};  // of others
  CHECK(one.outline.time(Bytes{4'000'000}, tuning) == Time{44 * kMicro});
  tuning.scale_up_efficiency = 0.5, tuning.copy_efficiency = 0.1, tuning.network_efficiency = 0.1;
  CHECK(one.outline.time(Bytes{4'000'000}, tuning) == Time{74 * kMicro});
  const std::vector<Phase> phases = one.outline.phases(Bytes{4'000'000}, tuning);
  REQUIRE(phases.size() == 1);
  CHECK(phases[0].bytes == Bytes{12'000'000});
  CHECK(phases[0].divisor == 4);
  CHECK(phases[0].latency == Time{14 * kMicro});
  CHECK(phases[0].rate_cap.value == 50'000'000'000);
  CHECK(phases[0].links == std::vector<LinkUse>{{0, 1}, {1, 1}, {4, 1}, {5, 1}, {8, 1}, {9, 1}, {12, 1}, {13, 1}});
  CHECK(unshared_time(phases[0], nodes.links()) == Time{74 * kMicro});
}

TEST_CASE("bytes are not rounded, their time is, upwards") {
  const One one(nodes_of(1), {0, 1, 2}, {{0, 1}}, {.bytes = Bytes{1}, .divisor = 3});
  // One byte in three parts at 100 GB/s: 3.33 ps.
  CHECK(one.outline.time(Bytes{1}, {}) == Time{4});
  CHECK(one.outline.time(Bytes{3}, {}) == Time{10});
}

TEST_CASE("pipelining costs kappa times the root of latency and transfer, each kind of group its own") {
  ProtocolTuning tuning;
  tuning.base = Time{9 * kMicro}, tuning.pipelining = 2, tuning.network_pipelining = 1;
  const PhaseShape three_steps{.bytes = Bytes{1}, .scale_up_steps = 3};
  // α = 9 + 3 · 2 = 15 us, S/B = 60 us: κ√(15 · 60) = 60 us.
  const test::Nodes one_node = nodes_of(1);
  const One inside(one_node, {0, 1}, {{0, 1}}, three_steps);
  CHECK(near(inside.outline.time(Bytes{6'000'000}, tuning), 15 + 60 + 60));
  // Through NICs: α = 9 + 5 + 6 = 20 us with the base of networks, S/B = 80 us: √1600 = 40 us.
  tuning.network_base = Time{5 * kMicro};
  const test::Nodes two = nodes_of(2);
  const One between(two, {0, 4}, {{0, 4}}, {.bytes = Bytes{1}, .network_steps = 1});
  CHECK(near(between.outline.time(Bytes{800'000}, tuning), 20 + 80 + 40));
}

TEST_CASE("links inside and between have efficiencies of their own; two domains are no crowd") {
  ProtocolTuning tuning;
  tuning.copy_efficiency = 0.01, tuning.network_efficiency = 0.5, tuning.pair_efficiency = 0.8;
  tuning.scale_up_efficiency = 0.001;
  const PhaseShape plain{.bytes = Bytes{1}};
  const test::Nodes two = nodes_of(2), three = nodes_of(3);
  // 8 of 10 GB/s where there are two domains, 5 where there are three.
  CHECK(One(two, {0, 4}, {{0, 4}}, plain).outline.phases(Bytes{1}, tuning)[0].rate_cap.value == 8'000'000'000);
  CHECK(One(three, {0, 4, 8}, {{0, 4}}, plain).outline.phases(Bytes{1}, tuning)[0].rate_cap.value == 5'000'000'000);
  // A hop inside of such a group: copies, at 1 of 100 GB/s, are slower than any NIC.
  CHECK(One(two, {0, 1, 4}, {{0, 1}, {0, 4}}, plain).outline.phases(Bytes{1}, tuning)[0].rate_cap.value ==
        1'000'000'000);
  tuning.copy_efficiency = 1;
  CHECK(One(two, {0, 1, 4}, {{0, 1}, {0, 4}}, plain, 4).outline.phases(Bytes{1}, tuning)[0].rate_cap.value ==
        2'000'000'000);  // four on the NIC
  // Where nothing takes anything off, only the links limit.
  CHECK(One(two, {0, 4}, {{0, 4}}, plain).outline.phases(Bytes{1}, {})[0].rate_cap.value == 0);
}

TEST_CASE("messages cost each, and the base of the call is that of its first phase") {
  const test::Nodes nodes = nodes_of(1);
  const std::vector<DeviceId> members{0, 1, 2, 3};
  const Group group(members, nodes);
  Outline outline(group);
  for (int phase = 0; phase < 2; ++phase) {
    HopLoads loads(nodes);
    loads.hop(0, 1);
    outline.add(loads, {.bytes = Bytes{1}, .divisor = 1, .scale_up_steps = 1, .messages = 2});
  }
  ProtocolTuning tuning;
  tuning.base = Time{7 * kMicro}, tuning.message = Time{3 * kMicro};
  const std::vector<Phase> phases = outline.phases(Bytes{100'000}, tuning);
  REQUIRE(phases.size() == 2);
  CHECK(phases[0].latency == Time{(7 + 2 + 2 * 3) * kMicro});
  CHECK(phases[1].latency == Time{(2 + 2 * 3) * kMicro});
  CHECK(outline.time(Bytes{100'000}, tuning) == Time{(15 + 8 + 2) * kMicro});  // 1 us of bytes each
}

TEST_CASE("a pass over hops goes in chunks of the best size, or whole where a hop is dearer than the bytes") {
  const test::Nodes nodes = nodes_of(1);
  ProtocolTuning tuning;
  tuning.scale_up_hop = Time{1 * kMicro};
  const One chain(nodes, {0, 1, 2, 3}, {{0, 1}, {1, 2}, {2, 3}},
                  {.bytes = Bytes{1}, .scale_up_steps = 2, .chunk_steps = 2});
  // A hop is 3 us. 600 kB are 6 us: 2 · 3 + 6 + 2√(2 · 3 · 6) = 24 us.
  CHECK(near(chain.outline.time(Bytes{600'000}, tuning), 24));
  // 100 kB are 1 us: 3 hops, each with all bytes, (2 + 1)(3 + 1) = 12 us.
  CHECK(near(chain.outline.time(Bytes{100'000}, tuning), 12));
  // Where a hop costs as much as two times the bytes both are the same: 150 kB, (2 + 1)(3 + 1.5) = 13.5 us.
  CHECK(near(chain.outline.time(Bytes{150'000}, tuning), 13.5));
}

TEST_CASE("a group's domains are in the order of the call, its channels those of the least domain") {
  const test::Nodes nodes = nodes_of(3);
  const std::vector<DeviceId> members{9, 4, 0, 6, 5, 1};
  const Group group(members, nodes);
  REQUIRE(group.domain_count() == 3);
  CHECK(group.domains()[0].members == std::vector<DeviceId>{9});
  CHECK(group.domains()[1].members == std::vector<DeviceId>{4, 6, 5});
  CHECK(group.domains()[2].members == std::vector<DeviceId>{0, 1});
  CHECK(group.size() == 6);
  CHECK(group.channels() == 1);
  CHECK_FALSE(group.one_domain());
  const std::vector<DeviceId> some{4, 6, 5, 0, 1};
  const Group two(some, nodes);
  CHECK(two.channels() == 2);
  CHECK(two.head(two.domains()[0], 0) == 4);
  CHECK(two.head(two.domains()[0], 1) == 6);  // the member 1 · 3/2
  CHECK(two.head(two.domains()[1], 1) == 1);
  // Two channels of four members: they leave from the first and the third.
  const std::vector<DeviceId> six{0, 1, 2, 3, 4, 5};
  const Group uneven(six, nodes);
  CHECK(uneven.head(uneven.domains()[0], 1) == 2);
  CHECK(uneven.head(uneven.domains()[1], 1) == 5);
  const std::vector<DeviceId> twice{0, 1, 0}, none;
  CHECK_THROWS_WITH(Group(twice, nodes), "a group holds each device once");
  CHECK_THROWS_WITH(Group(none, nodes), "a group has members");
}

TEST_CASE("hops add up on their links, and the slowest of each kind counts") {
  const test::Nodes nodes = nodes_of(2);
  HopLoads loads(nodes);
  CHECK_FALSE(loads.leaves_domain());
  loads.hop(1, 1, 9);  // to itself: nothing
  loads.hop(0, 1, 2);
  loads.both_ways(0, 2);
  CHECK(loads.scale_up() == Time{2 * kMicro});
  CHECK(loads.network() == Time{});
  CHECK_FALSE(loads.leaves_domain());
  loads.hop(1, 5, 3);
  CHECK(loads.network() == Time{6 * kMicro});
  CHECK(loads.leaves_domain());
  loads.scale_up_latency(Time{1});  // less than what is known
  CHECK(loads.scale_up() == Time{2 * kMicro});
  loads.scale_up_latency(Time{3 * kMicro});
  CHECK(loads.scale_up() == Time{3 * kMicro});
  loads.link(0, 5);
  // 0 up to its switch: 2 + 1 + 5; down to 0, 1, 2; up from 2; the NICs of 1 and 5.
  CHECK(loads.take() == std::vector<LinkUse>{{0, 8}, {1, 1}, {5, 2}, {6, 3}, {8, 1}, {9, 1}, {23, 3}});
  // More uses than links: the same by another way.
  HopLoads many(nodes);
  for (int i = 0; i < 100; ++i) many.hop(2, 3), many.hop(0, 4);
  CHECK(many.take() == std::vector<LinkUse>{{2, 100}, {8, 100}, {13, 100}, {19, 100}});
}

}  // namespace orrery::network::outline_test
