#include "orrery/network/flow.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include "orrery/network/maxmin_cases.hpp"
#include "paths.hpp"

namespace orrery::network::flow_test {

namespace {

std::string read(const std::string& name) {
  std::ifstream file(orrery::testing::source_dir() + "/tests/data/network/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<hardware::Link> equal_links(std::size_t count, std::int64_t bandwidth) {
  return std::vector<hardware::Link>(count, {BytesPerSecond{bandwidth}, Time{}, hardware::LinkLevel::other});
}

struct Planned {
  Time start;
  Transfer transfer;
  std::vector<LinkUse> uses;
};

// Ends of all transfers, started in the order given among those of one instant.
std::vector<Time> run(const std::vector<hardware::Link>& links, std::vector<Planned> plan) {
  std::stable_sort(plan.begin(), plan.end(), [](const Planned& a, const Planned& b) { return a.start < b.start; });
  FlowNetwork network(links);
  std::vector<Time> ends(plan.size());
  std::vector<std::int64_t> finished;
  std::size_t next = 0;
  for (;;) {
    const auto event = network.next_event();
    if (next < plan.size() && (!event || plan[next].start < *event)) {
      const Time now = plan[next].start;
      for (; next < plan.size() && plan[next].start == now; ++next) {
        plan[next].transfer.uses = plan[next].uses;
        network.start(now, plan[next].transfer);
      }
      continue;
    }
    if (!event) return ends;
    finished.clear();
    network.advance(*event, finished);
    CHECK(std::is_sorted(finished.begin(), finished.end()));
    for (const std::int64_t tag : finished) ends[static_cast<std::size_t>(tag)] = *event;
  }
}

std::vector<Planned> random_plan(std::mt19937_64& random, std::size_t flows, std::int32_t links) {
  std::vector<Planned> plan(flows);
  for (std::size_t i = 0; i < flows; ++i) {
    Planned& each = plan[i];
    each.start = Time{static_cast<std::int64_t>(random() % 4) * 1'000'000'000};
    each.transfer.bytes = Bytes{static_cast<std::int64_t>(1 + random() % 5'000'000)};
    each.transfer.weight = static_cast<std::int32_t>(1 + random() % 3);
    each.transfer.latency = Time{static_cast<std::int64_t>(random() % 3) * 500'000'000};
    if (random() % 4 == 0)
      each.transfer.rate_cap = BytesPerSecond{static_cast<std::int64_t>(100'000'000 + random() % 900'000'000)};
    each.transfer.tag = static_cast<std::int64_t>(i);
    for (std::int32_t link = 0; link < links; ++link) {
      if (random() % 3 == 0) each.uses.push_back({link, static_cast<std::int32_t>(1 + random() % 3)});
    }
    if (each.uses.empty()) each.uses.push_back({0, 1});
  }
  return plan;
}

// 3 GB and 1 GB meet on link 0 (1 GB/s) until 2 s: the small one ends at 2 s instead of 1 s, the other at 4 s instead
// of 3 s; a third, alone on link 1, loses nothing.
TEST_CASE("what sharing cost each transfer is noted with the link that was shared") {
  const std::vector<hardware::Link> links{{{1'000'000'000}, {}}, {{1'000'000'000}, {}}};
  const std::vector<LinkUse> zero{{0, 1}}, one{{1, 1}};
  FlowNetwork network(links);
  std::vector<RateChange> rates;
  network.observe(&rates);
  const auto start = [&](std::int64_t gigabytes, const std::vector<LinkUse>& uses, std::int64_t tag) {
    Transfer transfer;
    transfer.bytes = {gigabytes * 1'000'000'000};
    transfer.uses = uses;
    transfer.tag = tag;
    network.start({0}, transfer);
  };
  start(3, zero, 7);
  start(1, zero, 8);
  start(1, one, 9);
  constexpr std::int64_t second = 1'000'000'000'000;
  std::vector<Waited> waited;
  std::vector<std::int64_t> finished;
  while (const auto next = network.next_event()) {
    network.advance(*next, finished);
    waited.insert(waited.end(), network.waited().begin(), network.waited().end());
  }
  CHECK(finished == std::vector<std::int64_t>{9, 8, 7});
  REQUIRE(waited.size() == 2);
  CHECK(waited[0].tag == 8);
  CHECK(waited[0].lost.value == second);
  CHECK(waited[0].link == 0);
  CHECK(waited[1].tag == 7);
  CHECK(waited[1].lost.value == second);
  std::vector<double> of_seven;
  for (const RateChange& change : rates)
    if (change.tag == 7) of_seven.push_back(change.rate);
  CHECK(of_seven == std::vector<double>{5e8, 1e9, 0});
}

// 3 GB at 1 GB/s until 1 s; the link stands until 2 s and has half of its bandwidth from then on: 2 GB take 4 s more.
// Another that begins meanwhile waits until 2 s and then shares it: 1 GB each at 0.25 GB/s until 6 s, and the 1 GB left
// of the first alone at 0.5 GB/s until 8 s.
TEST_CASE("what crosses a link whose bandwidth changes goes on at another rate, or stands") {
  constexpr std::int64_t second = 1'000'000'000'000;
  for (const bool other : {false, true}) {
    const std::vector<hardware::Link> links{{{1'000'000'000}, {}}};
    const std::vector<LinkUse> zero{{0, 1}};
    FlowNetwork network(links);
    std::vector<RateChange> rates;
    network.observe(&rates);
    const auto start = [&](std::int64_t at, std::int64_t gigabytes, std::int64_t tag) {
      Transfer transfer;
      transfer.bytes = {gigabytes * 1'000'000'000};
      transfer.uses = zero;
      transfer.tag = tag;
      network.start({at}, transfer);
    };
    start(0, 3, 7);
    CHECK(network.next_event() == Time{3 * second});
    network.change_bandwidth({second}, 0, {0});
    CHECK(!network.next_event());
    CHECK(network.in_flight() == 1);
    if (other) start(second + second / 2, 1, 8);
    CHECK(!network.next_event());
    network.change_bandwidth({2 * second}, 0, {500'000'000});
    std::vector<std::int64_t> finished;
    CHECK(network.next_event() == Time{6 * second});
    network.advance({6 * second}, finished);
    CHECK(finished == std::vector<std::int64_t>{other ? 8 : 7});
    if (other) {
      CHECK(network.next_event() == Time{8 * second});
      network.advance({8 * second}, finished);
    }
    CHECK(network.carried(0) == Bytes{(other ? 4 : 3) * std::int64_t{1'000'000'000}});
    std::vector<double> of_seven;
    for (const RateChange& change : rates) {
      if (change.tag == 7) of_seven.push_back(change.rate);
      CHECK(change.ended == (change.rate == 0 && change.at >= Time{6 * second}));
    }
    CHECK(of_seven == (other ? std::vector<double>{1e9, 0, 2.5e8, 5e8, 0} : std::vector<double>{1e9, 0, 5e8, 0}));
  }
}

}  // namespace

TEST_CASE("published max-min cases end within 1 ps per preceding event of the exact time") {
  const auto cases = parse_maxmin_cases(read("maxmin_cases.txt"), "maxmin_cases.txt");
  const auto expected = parse_maxmin_expected(read("maxmin_expected.txt"), "maxmin_expected.txt");
  REQUIRE(cases);
  REQUIRE(expected);
  REQUIRE(cases->size() == 8);
  std::size_t compared = 0;
  for (const MaxminCase& each : *cases) {
    const auto outcomes = run_maxmin_case(each);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      for (const MaxminCompletion& completion : *expected) {
        if (completion.case_name != each.name || completion.flow_name != each.flows[i].name) continue;
        CAPTURE(each.name);
        CAPTURE(each.flows[i].name);
        CAPTURE(outcomes[i].completion.value);
        CHECK(equal_within(outcomes[i].completion, completion, outcomes[i].preceding_events));
        ++compared;
      }
    }
  }
  CHECK(compared == expected->size());
  CHECK(compared == 32);
}

TEST_CASE("a transfer that shares nothing takes latency + ceil(bytes * 10^12 / rate)") {
  // Link 1 carries the rate 3 times: 7 bytes · 3 at 10 B/s = 2.1 s; link 0: 7 / 3 B/s = 2.333… s, rounded up, is the
  // slower.
  const std::vector<hardware::Link> links{{BytesPerSecond{3}, Time{}, hardware::LinkLevel::other},
                                          {BytesPerSecond{10}, Time{}, hardware::LinkLevel::other}};
  const std::vector<LinkUse> uses{{0, 1}, {1, 3}};
  CHECK(unshared_duration({Bytes{7}, uses}, links) == Time{2'333'333'333'334});
  CHECK(run(links, {{Time{5}, {Bytes{7}, {}, Time{11}}, uses}})[0] == Time{2'333'333'333'334 + 16});
  // A cap of 2 B/s: 3.5 s.
  CHECK(run(links, {{Time{0}, {Bytes{7}, {}, Time{}, BytesPerSecond{2}}, uses}})[0] == Time{3'500'000'000'000});
  // 2^53 + 1 bytes are not a double; an odd prime as bandwidth. ⌈9007199254740993 · 10¹² / 999999999989⌉ by long
  // division.
  const auto prime = equal_links(1, 999'999'999'989);
  CHECK(run(prime, {{Time{0}, {Bytes{9'007'199'254'740'993}, {}}, {{0, 1}}}})[0] ==
        transfer_time(Bytes{9'007'199'254'740'993}, BytesPerSecond{999'999'999'989}));
  // Nothing to move, and nothing to move it over.
  CHECK(run(prime, {{Time{4}, {Bytes{0}, {}, Time{3}}, {{0, 1}}}})[0] == Time{7});
  CHECK(run(prime, {{Time{4}, {Bytes{9}, {}, Time{3}}, {}}})[0] == Time{7});
}

TEST_CASE("weights, caps and multiplicities share a link as defined") {
  const auto links = equal_links(1, 12);
  const std::vector<LinkUse> once{{0, 1}}, twice{{0, 2}};
  // Levels: 12 / (1·1 + 1·3 + 2·1) = 2: rates 2, 6, 2, loading 2 + 6 + 4.
  const std::vector<Transfer> weighted{{Bytes{1}, once}, {Bytes{1}, once, Time{}, {}, 3}, {Bytes{1}, twice}};
  CHECK(steady_rates(links, weighted) == std::vector<double>{2, 6, 2});
  // A cap of 1 on the second leaves 11 for the others: 11 / 3.
  const std::vector<Transfer> capped{
      {Bytes{1}, once}, {Bytes{1}, once, Time{}, BytesPerSecond{1}, 3}, {Bytes{1}, twice}};
  const auto rates = steady_rates(links, capped);
  CHECK(rates[1] == 1.0);
  CHECK(rates[0] == doctest::Approx(11.0 / 3).epsilon(1e-14));
  CHECK(rates[2] == rates[0]);
}

TEST_CASE("links that no transfer uses change no steady rate, and the link that limits one is named as before") {
  std::vector<hardware::Link> links = equal_links(9, 12);
  links[2].bandwidth = {6}, links[7].bandwidth = {1'000'000'007};
  const std::vector<LinkUse> near{{2, 1}, {5, 1}}, far{{5, 1}, {8, 2}};
  const std::vector<Transfer> transfers{{Bytes{1}, near}, {Bytes{1}, far}, {Bytes{1}, far}};
  std::vector<std::int32_t> limits;
  const std::vector<double> rates = steady_rates(links, transfers, &limits);
  CHECK(rates == std::vector<double>{6, 3, 3});  // of link 8: 12 / (2 + 2); link 5 carries 12 of 12
  CHECK(limits[1] == 8);
  CHECK(limits[2] == 8);
  CHECK((limits[0] == 2 || limits[0] == 5));
}

TEST_CASE("the order in which transfers are given changes nothing") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 200; ++round) {
    const auto links = equal_links(6, 1'000'000'007);
    auto plan = random_plan(random, 25, 6);
    const auto ends = run(links, plan);
    std::shuffle(plan.begin(), plan.end(), random);
    REQUIRE(run(links, plan) == ends);
    for (Planned& each : plan) std::reverse(each.uses.begin(), each.uses.end());
    REQUIRE(run(links, plan) == ends);
  }
}

TEST_CASE("bytes are conserved, and links keep count of them") {
  std::mt19937_64 random(6);
  const auto plan = random_plan(random, 40, 5);
  FlowNetwork network(equal_links(5, 1'000'000'000));
  std::vector<Bytes> expected(5);
  for (const Planned& each : plan) {
    Transfer transfer = each.transfer;
    transfer.uses = each.uses;
    network.start(Time{}, transfer);
    for (const LinkUse use : each.uses)
      expected[static_cast<std::size_t>(use.link)] += transfer.bytes * use.multiplicity;
  }
  CHECK(network.in_flight() == 40);
  std::vector<std::int64_t> finished;
  while (const auto t = network.next_event()) network.advance(*t, finished);
  CHECK(finished.size() == 40);
  CHECK(network.in_flight() == 0);
  for (std::int32_t link = 0; link < 5; ++link)
    CHECK(network.carried(link) == expected[static_cast<std::size_t>(link)]);
}

TEST_CASE("misuse of the network is refused") {
  FlowNetwork network(equal_links(1, 1000));
  const std::vector<LinkUse> uses{{0, 1}};
  network.start(Time{10}, {Bytes{1}, uses});  // ends at 10 + 10⁹
  CHECK_THROWS_AS(network.start(Time{9}, {Bytes{1}, uses}), InternalError);
  CHECK_THROWS_AS(network.start(Time{2'000'000'000}, {Bytes{1}, uses}), InternalError);
  std::vector<std::int64_t> finished;
  CHECK_THROWS_AS(network.advance(Time{2'000'000'000}, finished), InternalError);
  CHECK_THROWS_AS(FlowNetwork(equal_links(1, 0)), InternalError);
}

TEST_CASE("errors in max-min cases are shown where they stand") {
  const auto message = [](const char* text) {
    const auto result = parse_maxmin_cases(text, "x.txt");
    REQUIRE(!result);
    return std::to_string(result.errors()[0].place.line) + ": " + result.errors()[0].message;
  };
  CHECK(message("flow f 0 1 0 L\n") == "1: expected 'case NAME'");
  CHECK(message("case a\nlink L 0 0\nend\n") == "2: expected 'link NAME BYTES_PER_S LATENCY_S'");
  CHECK(message("case a\nlink L 5 0\nflow f 0 1 0 M\nend\n") == "3: no link 'M' in this case");
  CHECK(message("case a\nlink L 5 0\nflow f 0,5 1 0 L\nend\n").starts_with("3: expected 'flow"));
  CHECK(message("case a\nlink L 5 0\n") == "2: case 'a' has no 'end'");
  CHECK(!parse_maxmin_expected("a b 1 1/0\n", "x.txt"));
}

}  // namespace orrery::network::flow_test
