// What leaves and enters the GPUs in each algorithm, by its closed form; the two trees of NCCL; cases as text.
#include "orrery/network/traffic.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <numeric>

#include "network/algorithms/tree.hpp"
#include "nodes.hpp"
#include "orrery/network/maxmin_cases.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::network::traffic_test {

namespace {

using hardware::DeviceId;

constexpr std::int64_t kSize = 8'400;  // shared by 8 without a rest

struct Moved {
  Traffic traffic;
  double wire;  // over S at the rate of one link
};

// Eight GPUs on so many nodes, links of 1 GB/s.
Moved moved(Collective kind, const char* algorithm, int nodes, ChosenExperts chosen = {}) {
  const test::Nodes on(nodes, 8 / nodes, {1'000'000'000}, {1'000'000'000}, Time{}, Time{});
  std::vector<DeviceId> group(8);
  std::iota(group.begin(), group.end(), 0);
  if (kind == Collective::send_receive) group = {0, 1};
  Tuning tuning;
  tuning.in_switch_reduction = tuning.fabric_reduction = true;
  CollectiveCall call{kind, Bytes{kSize}, group, algorithm, "ideal"};
  call.chosen = chosen;
  REQUIRE_MESSAGE(unsupported(call, on, tuning).empty(), unsupported(call, on, tuning));
  const Traffic traffic = traffic_of(call, plan_collective(call, on, tuning), on);
  return {traffic, static_cast<double>(traffic.wire.value) / (kSize * 1000.0)};
}

}  // namespace

// In multiples of S: 2(n − 1) of an all_reduce, n − 1 of the others; what a switch adds is sent once by each, what it
// copies is sent once. Wire: the busiest link.
TEST_CASE("bytes that leave and enter eight GPUs on one node, by algorithm") {
  struct Case {
    Collective kind;
    const char* algorithm;
    std::int64_t sent, received, must_send, must_receive;
    double wire;
  };
  for (const Case& c :
       {Case{Collective::all_reduce, "ring", 14, 14, 14, 14, 1.75},
        Case{Collective::all_gather, "ring", 7, 7, 7, 7, 0.875},
        Case{Collective::reduce_scatter, "ring", 7, 7, 7, 7, 0.875},
        Case{Collective::all_reduce, "tree", 14, 14, 14, 14, 2}, Case{Collective::broadcast, "tree", 7, 7, 7, 7, 1},
        Case{Collective::all_reduce, "halving_doubling", 14, 14, 14, 14, 1.75},
        Case{Collective::all_gather, "halving_doubling", 7, 7, 7, 7, 0.875},
        Case{Collective::all_reduce, "direct", 14, 14, 14, 14, 1.75},
        Case{Collective::all_to_all, "direct", 7, 7, 7, 7, 0.875}, Case{Collective::broadcast, "direct", 7, 7, 7, 7, 7},
        Case{Collective::send_receive, "direct", 1, 1, 1, 1, 1},
        // Each sends S and its part once more: 8 (1 + 1/8).
        Case{Collective::all_reduce, "nvls", 9, 9, 8, 8, 1.125}, Case{Collective::all_gather, "nvls", 1, 8, 1, 7, 1},
        Case{Collective::reduce_scatter, "nvls", 8, 1, 7, 1, 1}}) {
    CAPTURE(c.algorithm);
    CAPTURE(name_of(c.kind));
    const auto [traffic, wire] = moved(c.kind, c.algorithm, 1);
    CHECK(traffic.sent.value == c.sent * kSize);
    CHECK(traffic.received.value == c.received * kSize);
    CHECK(traffic.must_send.value == c.must_send * kSize);
    CHECK(traffic.must_receive.value == c.must_receive * kSize);
    CHECK(wire == doctest::Approx(c.wire));
    CHECK(traffic.switches_add == (std::string(c.algorithm) == "nvls"));
  }
}

TEST_CASE("the same over two nodes of four and over eight of one") {
  // One ring a channel: every chunk goes round all eight, whatever the nodes.
  CHECK(moved(Collective::all_reduce, "ring", 2).traffic.sent.value == 14 * kSize);
  CHECK(moved(Collective::all_reduce, "ring", 8).traffic.sent.value == 14 * kSize);
  // In each node 3/4 of S from each of eight, on each rail 1/4 from each of two, and 3/4 of S again: 6 + 2 + 6.
  const Moved rails = moved(Collective::all_reduce, "hierarchical", 2);
  CHECK(rails.traffic.sent.value == 14 * kSize);
  CHECK(rails.wire == doctest::Approx(0.75 + 0.25 + 0.75));
  // Chunks of S/8 at distances 1, 2 and 4, from each of eight trees.
  CHECK(moved(Collective::all_gather, "pat", 8).traffic.sent.value == 7 * kSize);
  CHECK(moved(Collective::all_gather, "pat", 8).wire == doctest::Approx(0.875));
}

// Rows that choose 2 of 8 experts, one a GPU: one is here with chance 1 − 7·6/(8·7) = 1/4, one is among these four with
// 1 − 4·3/(8·7) = 11/14. A row that goes to the other node goes there once, 22/7 of what goes to one GPU of it, and is
// handed on to the three others; to the three of its own node each GPU sends as ever.
TEST_CASE("a row goes to another node once and is handed on there") {
  const ChosenExperts two_of_eight{8, 1, 2};
  CHECK(chance_of_any(two_of_eight, 1) == doctest::Approx(0.25));
  CHECK(chance_of_any(two_of_eight, 4) == doctest::Approx(11. / 14));
  CHECK(chance_of_any(two_of_eight, 8) == 1);
  const auto [traffic, wire] = moved(Collective::dispatch, "direct", 2, two_of_eight);
  CHECK(static_cast<double>(traffic.sent.value) == doctest::Approx(kSize * (22. / 7 + 3 + 3)).epsilon(1e-3));
  CHECK(traffic.received == traffic.sent);
  CHECK(wire == doctest::Approx(6. / 8));  // the switch of a node; its NICs 22/7/8
  // A NIC of its own for each copy, where the rows of a node go to one GPU of it in any case.
  CHECK(moved(Collective::dispatch, "direct", 2, {8, 1, 1}).traffic.sent.value == (4 + 3 + 3) * kSize);
  // Within a node, and between nodes of one GPU, nothing can be saved.
  for (const int nodes : {1, 8}) {
    const Moved once = moved(Collective::dispatch, "direct", nodes, two_of_eight),
                copies = moved(Collective::all_to_all, "direct", nodes);
    CHECK(once.traffic.sent == copies.traffic.sent);
    CHECK(once.wire == doctest::Approx(copies.wire));
  }
}

// Four ranks on two nodes send 5, 1, 1 and 1 of 8 parts to each other, of S. The NIC of the first lets in 2 · 5 from
// the other node, that of the second 2; on the way home as much goes out. In all each sends what is not for itself, 3 +
// 3 · 7 = 24 parts, three times what a rank has.
TEST_CASE("members send each other unlike rows") {
  const test::Nodes on(2, 2, {1'000'000'000}, {1'000'000'000}, Time{}, Time{});
  const std::vector<DeviceId> group{0, 1, 2, 3};
  for (const bool home : {false, true}) {
    CollectiveCall call{Collective::all_to_all, Bytes{8'000}, group, "direct", "ideal"};
    call.rows = {std::make_shared<const MemberRows>(MemberRows{{5, 1, 1, 1}, 8, home})};
    const CollectivePlan plan = plan_collective(call, on, Tuning{});
    REQUIRE(plan.phases.size() == 1);
    std::vector<std::int64_t> bytes(16);
    for (const LinkUse use : plan.phases.front().links)
      bytes[static_cast<std::size_t>(use.link)] =
          plan.phases.front().bytes.value * use.multiplicity / plan.phases.front().divisor;
    // Of each GPU: up to its switch, down from it, out of its NIC and into it.
    CHECK(bytes == (home ? std::vector<std::int64_t>{5000, 1000, 10000, 2000, 1000, 5000, 2000, 2000,  //
                                                     1000, 1000, 2000, 6000, 1000, 1000, 2000, 6000}
                         : std::vector<std::int64_t>{1000, 5000, 2000, 10000, 5000, 1000, 2000, 2000,  //
                                                     1000, 1000, 6000, 2000, 1000, 1000, 6000, 2000}));
    const Traffic traffic = traffic_of(call, plan, on);
    CHECK(traffic.sent.value == 24'000);
    CHECK(traffic.sent == traffic.received);
    CHECK(traffic.must_send == traffic.sent);
    CHECK(unshared_time(plan, on.links()) == Time{10'000'000});
  }
}

// 8 tokens choose 2 of 8 experts, two a GPU, and send 10, 2, 2 and 2 copies, as if the GPUs held 5, 1, 1 and 1 of the
// experts: a token is for them with 50/56 and three times 14/56, for either node with 54/56 and 26/56. A GPU of the
// other node sends the first node 54 parts once, of S = 50 + 3 · 14 = 92, and each of its GPUs hands on those of two.
TEST_CASE("unlike rows go to another node once") {
  const test::Nodes on(2, 2, {1'000'000'000}, {1'000'000'000}, Time{}, Time{});
  const std::vector<DeviceId> group{0, 1, 2, 3};
  CollectiveCall call{Collective::dispatch, Bytes{92'000}, group, "direct", "ideal"};
  call.chosen = {8, 2, 2};
  call.rows = {std::make_shared<const MemberRows>(MemberRows{{10, 2, 2, 2}, 16, false})};
  const CollectivePlan plan = plan_collective(call, on, Tuning{});
  const Phase& phase = plan.phases.front();
  std::vector<double> kilobytes(16);
  for (const LinkUse use : phase.links)
    kilobytes[static_cast<std::size_t>(use.link)] =
        static_cast<double>(phase.bytes.value) / phase.divisor * use.multiplicity / 1000;
  const std::vector<double> expected{2 * 14, 2 * 50, 26, 54, 2 * 50, 2 * 14, 26, 54,  //
                                     2 * 14, 2 * 14, 54, 26, 2 * 14, 2 * 14, 54, 26};
  for (std::size_t link = 0; link < 16; ++link) CHECK(kilobytes[link] == doctest::Approx(expected[link]).epsilon(1e-3));
  const Traffic traffic = traffic_of(call, plan, on);
  CHECK(traffic.sent == traffic.received);
  CHECK(traffic.sent >= traffic.must_send);
}

// DeepSeek-V3 over 32 GPUs on 4 nodes: of 7.267 copies of a token 7.267 · 24/32 = 5.45 are for other nodes, where
// 3 · (1 − C(192, 8)/C(256, 8)) = 2.710 go.
TEST_CASE("what leaves a node of DeepSeek-V3's dispatch") {
  const ChosenExperts v3{256, 8, 8};
  CHECK(32 * chance_of_any(v3, 1) == doctest::Approx(7.267).epsilon(1e-4));
  CHECK(4 * chance_of_any(v3, 8) == doctest::Approx(3.614).epsilon(1e-4));
  const test::Nodes on(4, 8, {1'000'000'000}, {1'000'000'000}, Time{}, Time{});
  std::vector<DeviceId> group(32);
  std::iota(group.begin(), group.end(), 0);
  CollectiveCall call{Collective::dispatch, Bytes{7'267'000}, group, "", "ideal"};
  call.chosen = v3;
  const CollectivePlan plan = plan_collective(call, on, Tuning{});
  REQUIRE(plan.phases.size() == 1);
  const Phase& phase = plan.phases.front();
  for (const LinkUse use : phase.links) {
    const double bytes = static_cast<double>(phase.bytes.value) / phase.divisor * use.multiplicity;
    // Of each of four sources to seven of eight: 7.267 · 4 · 7/32.
    const double expected = on.links()[static_cast<std::size_t>(use.link)].level == hardware::LinkLevel::nic
                                ? 2'710'000.
                                : 7'267'000. * 28 / 32;
    CHECK(bytes == doctest::Approx(expected).epsilon(1e-3));
  }
}

TEST_CASE("traffic of several calls adds up") {
  Traffic sum, one{Bytes{1}, Bytes{2}, Bytes{3}, Bytes{4}, Time{5}, false}, add = one;
  add.switches_add = true;
  sum += one;
  CHECK_FALSE(sum.switches_add);
  sum += add;
  sum += one;
  CHECK(sum.sent == Bytes{3});
  CHECK(sum.received == Bytes{6});
  CHECK(sum.must_send == Bytes{9});
  CHECK(sum.must_receive == Bytes{12});
  CHECK(sum.wire == Time{15});
  CHECK(sum.switches_add);
}

TEST_CASE("both trees reach their root from every rank, and no rank has more than four edges in the two") {
  for (int n = 2; n <= 200; ++n) {
    CAPTURE(n);
    std::vector<int> edges(static_cast<std::size_t>(n)), children(static_cast<std::size_t>(2 * n));
    for (int tree = 0; tree < 2; ++tree) {
      const auto parent = [&](int rank) {
        return tree == 0 ? binary_tree_parent(n, rank) : other_tree_parent(n, rank);
      };
      int roots = 0;
      for (int rank = 0; rank < n; ++rank) {
        int up = rank, steps = 0;
        for (; parent(up) >= 0 && steps <= n; ++steps) up = parent(up);
        REQUIRE(up < n);
        CHECK(steps <= tree_depth(n));
        roots += parent(rank) < 0 ? 1 : 0;
        if (parent(rank) < 0) continue;
        ++edges[static_cast<std::size_t>(rank)], ++edges[static_cast<std::size_t>(parent(rank))];
        ++children[static_cast<std::size_t>(tree * n + parent(rank))];
      }
      CHECK(roots == 1);
    }
    for (const int count : children) CHECK(count <= 2);
    for (const int count : edges) CHECK(count <= 4);  // half of S each way on each: 2 S at most
  }
  // Eight ranks, as ncclGetBtree's comment draws them: 0 - 4 - (2, 6), 2 - (1, 3), 6 - (5, 7).
  for (const auto& [rank, up] : {std::pair{0, -1}, {4, 0}, {2, 4}, {6, 4}, {1, 2}, {3, 2}, {5, 6}, {7, 6}})
    CHECK(binary_tree_parent(8, rank) == up);
  for (const auto& [n, depth] : {std::pair{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {9, 4}, {1024, 10}})
    CHECK(tree_depth(n) == depth);
}

TEST_CASE("cases as text: decimals to the picosecond, links used twice, and what is refused") {
  const auto cases = parse_maxmin_cases(
      "# remark\n\ncase one\n link a 1000 0.000000000001\n link b 10 1.5\n flow f 0.25 7 0 a,b,a\nend\n", "c.txt");
  REQUIRE(cases.ok());
  const MaxminCase& one = cases->front();
  CHECK(one.links[0].latency == Time{1});
  CHECK(one.links[1].latency == Time{1'500'000'000'000});
  CHECK(one.flows[0].start == Time{250'000'000'000});
  CHECK(one.flows[0].uses == std::vector<LinkUse>{{0, 2}, {1, 1}});
  CHECK(one.flows[0].latency == Time{1'500'000'000'002});
  const auto wrong = [](const std::string& line) {
    const auto read = parse_maxmin_cases("case c\nlink a 10 0\n" + line + "\nend\n", "c.txt");
    return read.ok() ? "fine" : render(read.errors().front()).substr(0, render(read.errors().front()).find('\n'));
  };
  CHECK(wrong("flow f 0 1 0 a") == "fine");
  const std::string link = "c.txt:3:1: expected 'link NAME BYTES_PER_S LATENCY_S'";
  for (const char* bad : {"link b 0 0", "link b -1 0", "link b 1", "link b 1 0 0", "link b 1 x", "link b 1 0.",
                          "link b 1 0.0000000000001", "link b 1 9000001", "link b 1.5 0"})
    CHECK(wrong(bad) == link);
  CHECK(wrong("link a 1 0") == "c.txt:3:1: link 'a' is already there");
  for (const char* bad : {"flow f 0 1 0", "flow f x 1 0 a", "flow f 0 x 0 a", "flow f 0 1 -1 a", "flow f 0 1 0 a a"})
    CHECK(wrong(bad) == "c.txt:3:1: expected 'flow NAME START_S BYTES RATE_CAP LINK[,LINK…]'");
  CHECK(wrong("flow f 0 1 0 b") == "c.txt:3:1: no link 'b' in this case");
  CHECK(wrong("case d") == "c.txt:3:1: expected 'link', 'flow' or 'end'");
  CHECK(render(parse_maxmin_cases("case c\n", "c.txt").errors()).starts_with("c.txt:1:1: case 'c' has no 'end'\n"));
  CHECK(render(parse_maxmin_cases("end\n", "c.txt").errors()).starts_with("c.txt:1:1: expected 'case NAME'\n"));
}

TEST_CASE("expected completions are fractions, held against in integers") {
  const auto read = parse_maxmin_expected("c f 0.333 1/3\nc g 2 2\n", "e.txt");
  REQUIRE(read.ok());
  CHECK(read->at(0).numerator == 1);
  CHECK(read->at(0).denominator == 3);
  CHECK(read->at(1).denominator == 1);
  for (const char* bad : {"c f 1/3", "c f 0 1/0", "c f 0 x", "c f 0 1/3 4", "c f 0 -1/3"})
    CHECK(render(parse_maxmin_expected(bad, "e.txt").errors())
              .starts_with("e.txt:1:1: expected 'CASE FLOW TIME_S FRACTION_S'\n"));
  // A third of a second is 333 333 333 333.3 ps.
  const MaxminCompletion third = read->front();
  CHECK(equal_within(Time{333'333'333'333}, third, 1));
  CHECK_FALSE(equal_within(Time{333'333'333'333}, third, 0));
  CHECK(equal_within(Time{333'333'333'334}, third, 1));
  CHECK_FALSE(equal_within(Time{333'333'333'335}, third, 1));
  CHECK(equal_within(Time{2'000'000'000'000}, read->at(1), 0));
}

// Capacity 12: a alone on x has 12; then b and c beside it. x = 12 shared by a, b; y = 3 shared by b, c: b and c have
// 1.5 each, a what b leaves, 10.5.
TEST_CASE("three flows on two links, by hand, as they come and go") {
  const auto cases = parse_maxmin_cases(
      "case c\nlink x 12 0\nlink y 3 0\nflow a 0 33 0 x\nflow b 1 3 0 x,y\nflow c 1 6 0 y\nend\n", "c.txt");
  REQUIRE(cases.ok());
  const auto outcomes = run_maxmin_case(cases->front());
  // a: 12 in the first second, 10.5 in each of the next two: at 3 s. b: 3 at 1.5: at 3 s, too. c: 3 of 6, then 3/s: 4
  // s.
  CHECK(outcomes[0].completion == Time{3'000'000'000'000});
  CHECK(outcomes[1].completion == Time{3'000'000'000'000});
  CHECK(outcomes[2].completion == Time{4'000'000'000'000});
}

// Eight GPUs: a half of it at the greatest distance, a quarter, an eighth; gathered the other way round.
TEST_CASE("halving sends most of it first, doubling last") {
  const test::Nodes on(8, 1, {1'000'000'000}, {1'000'000'000}, Time{}, Time{});
  for (const Collective kind : {Collective::reduce_scatter, Collective::all_gather}) {
    const std::vector<DeviceId> group{0, 1, 2, 3, 4, 5, 6, 7};
    const CollectiveCall call{kind, Bytes{8'000}, group, "halving_doubling", "ideal"};
    std::vector<std::int64_t> us;
    for (const Phase& phase : plan_collective(call, on, Tuning{}).phases)
      us.push_back(unshared_time(phase, on.links()).value / kPicosecondsPerMicrosecond);
    CHECK(us == (kind == Collective::reduce_scatter ? std::vector<std::int64_t>{4, 2, 1}
                                                    : std::vector<std::int64_t>{1, 2, 4}));
  }
}

}  // namespace orrery::network::traffic_test
