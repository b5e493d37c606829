// Protocol `ideal` against the closed forms of the literature (Thakur, Rabenseifner, Gropp 2005; Patarasuk, Yuan 2009;
// Sanders, Speck, Träff 2009), for p ranks on a star × 20 sizes × 5 (α, β), to 1 ps per phase.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"
#include "star.hpp"

namespace orrery::network::alpha_beta_test {

namespace {

const std::vector<int> kRanks{2, 3, 4, 5, 7, 8, 16, 32, 64};
// 1 B … 16 GiB.
const std::vector<std::int64_t> kSizes{1,
                                       2,
                                       7,
                                       64,
                                       1'000,
                                       4'096,
                                       65'536,
                                       65'537,
                                       262'144,
                                       999'983,
                                       1'048'576,
                                       4'194'304,
                                       16'777'216,
                                       33'554'433,
                                       134'217'728,
                                       536'870'912,
                                       1'073'741'824,
                                       4'294'967'296,
                                       8'589'934'593,
                                       17'179'869'184};
struct AlphaBeta {
  std::int64_t alpha_ps, bandwidth;
};
const std::vector<AlphaBeta> kLinks{{0, 50'000'000'000},
                                    {1'000'000, 25'000'000'000},
                                    {700'000, 450'000'000'000},
                                    {5'000'002, 12'500'000'007},
                                    {20'000'000, 3'000'000'000'000}};

// steps · α + fraction · S/B, with the fraction as numerator / denominator; all in ps.
struct Form {
  std::int64_t steps, numerator, denominator;
};

CollectivePlan ideal(Collective kind, const char* algorithm, int ranks, std::int64_t bytes,
                     const hardware::Topology& on) {
  std::vector<hardware::DeviceId> group(static_cast<std::size_t>(ranks));
  std::iota(group.begin(), group.end(), 0);
  Tuning tuning;
  tuning.in_switch_reduction = true;
  return plan_collective({kind, Bytes{bytes}, group, algorithm, "ideal"}, on, tuning);
}

// per_node = 0: all ranks in one domain; 1: each is a domain of its own.
void compare(Collective kind, const char* algorithm, int per_node, const std::function<Form(std::int64_t)>& form) {
  CHECK(kSizes.size() == 20);
  for (const int ranks : kRanks) {
    for (const AlphaBeta link : kLinks) {
      const test::Star star(ranks, per_node == 0 ? ranks : per_node, Time{link.alpha_ps},
                            BytesPerSecond{link.bandwidth});
      for (const std::int64_t bytes : kSizes) {
        const CollectivePlan plan = ideal(kind, algorithm, ranks, bytes, star);
        const Form expected = form(ranks);
        const Int128 ours = Int128{unshared_time(plan, star.links()).value} * expected.denominator * link.bandwidth;
        const Int128 theirs = Int128{expected.steps} * link.alpha_ps * expected.denominator * link.bandwidth +
                              Int128{expected.numerator} * bytes * kPicosecondsPerSecond;
        const Int128 tolerance = static_cast<Int128>(plan.phases.size()) * expected.denominator * link.bandwidth;
        CAPTURE(algorithm);
        CAPTURE(ranks);
        CAPTURE(bytes);
        CAPTURE(link.bandwidth);
        REQUIRE(ours >= theirs);  // rounded up, never down
        REQUIRE(ours - theirs <= tolerance);
      }
    }
  }
}

std::int64_t ceil_log2(std::int64_t n) {
  std::int64_t log = 0;
  while ((std::int64_t{1} << log) < n) ++log;
  return log;
}

bool power_of_two(std::int64_t n) {
  return (n & (n - 1)) == 0;
}

}  // namespace

TEST_CASE("ring is 2(n-1) alpha + 2(n-1)/n S/B, half of that for all_gather and reduce_scatter") {
  for (const int per_node : {0, 1}) {
    compare(Collective::all_reduce, "ring", per_node, [](std::int64_t n) { return Form{2 * (n - 1), 2 * (n - 1), n}; });
    compare(Collective::all_gather, "ring", per_node, [](std::int64_t n) { return Form{n - 1, n - 1, n}; });
    compare(Collective::reduce_scatter, "ring", per_node, [](std::int64_t n) { return Form{n - 1, n - 1, n}; });
  }
}

TEST_CASE("double binary tree is 2 ceil(log2 n) alpha + 2 S/B") {
  // Two ranks: one edge a tree, S/2 each way in both. Three: 0-2-1 and 1-0-2: rank 0 passes 1/2 up, 1/2 + 1/2 down, 1/2
  // + … : the busiest link carries 3/2 S. From four ranks on one has two children: 2 S.
  const auto factor = [](std::int64_t n) {
    return n == 2 ? std::int64_t{2} : n == 3 ? std::int64_t{3} : std::int64_t{4};
  };
  for (const int per_node : {0, 1}) {
    compare(Collective::all_reduce, "tree", per_node, [&](std::int64_t n) {
      return Form{2 * ceil_log2(n), factor(n), 2};
    });
    compare(Collective::broadcast, "tree", per_node, [&](std::int64_t n) {
      return Form{ceil_log2(n), n == 2 ? 1 : 2, 2};
    });
  }
}

TEST_CASE("halving and doubling is 2 log2 n alpha + 2(n-1)/n S/B, two steps of S more off the powers of two") {
  compare(Collective::all_reduce, "halving_doubling", 0, [](std::int64_t n) {
    if (power_of_two(n)) return Form{2 * ceil_log2(n), 2 * (n - 1), n};
    const std::int64_t power = std::int64_t{1} << (ceil_log2(n) - 1);
    return Form{2 * ceil_log2(power) + 2, 2 * (power - 1) + 2 * power, power};
  });
  compare(Collective::all_gather, "halving_doubling", 0, [](std::int64_t n) { return Form{ceil_log2(n), n - 1, n}; });
  compare(Collective::reduce_scatter, "halving_doubling", 0, [](std::int64_t n) {
    return Form{ceil_log2(n), n - 1, n};
  });
}

TEST_CASE("parallel aggregated trees are ceil(log2 n) alpha + (n-1)/n S/B") {
  compare(Collective::all_gather, "pat", 1, [](std::int64_t n) { return Form{ceil_log2(n), n - 1, n}; });
  compare(Collective::reduce_scatter, "pat", 1, [](std::int64_t n) { return Form{ceil_log2(n), n - 1, n}; });
}

TEST_CASE("each rank of an aggregated tree sends as many messages as there are others") {
  for (const int ranks : kRanks) {
    const test::Star star(ranks, 1, Time{1'000'000}, BytesPerSecond{50'000'000'000});
    std::vector<hardware::DeviceId> group(static_cast<std::size_t>(ranks));
    std::iota(group.begin(), group.end(), 0);
    const auto time = [&](Time message) {
      Tuning tuning;
      tuning.pat.simple.message = message;
      return unshared_time(
          plan_collective({Collective::all_gather, Bytes{1'000'000}, group, "pat", "simple"}, star, tuning),
          star.links());
    };
    CHECK(time(Time{700}) - time({}) == Time{700} * (ranks - 1));
  }
}

TEST_CASE("direct is alpha + (n-1)/n S/B for all_to_all, twice that for all_reduce, (n-1) S/B for broadcast") {
  compare(Collective::all_to_all, "direct", 0, [](std::int64_t n) { return Form{1, n - 1, n}; });
  compare(Collective::all_gather, "direct", 0, [](std::int64_t n) { return Form{1, n - 1, n}; });
  compare(Collective::all_reduce, "direct", 1, [](std::int64_t n) { return Form{2, 2 * (n - 1), n}; });
  compare(Collective::broadcast, "direct", 0, [](std::int64_t n) { return Form{1, n - 1, 1}; });
}

TEST_CASE("reduction in the switch is 2 alpha + S (1 + 1/n) / B") {
  compare(Collective::all_reduce, "nvls", 0, [](std::int64_t n) { return Form{2, n + 1, n}; });
  compare(Collective::all_gather, "nvls", 0, [](std::int64_t) { return Form{1, 1, 1}; });
  compare(Collective::reduce_scatter, "nvls", 0, [](std::int64_t) { return Form{1, 1, 1}; });
}

TEST_CASE("a message is alpha + S/B") {
  const test::Star star(2, 2, Time{1'000'000}, BytesPerSecond{25'000'000'000});
  for (const std::int64_t bytes : kSizes) {
    CHECK(unshared_time(ideal(Collective::send_receive, "", 2, bytes, star), star.links()) ==
          Time{1'000'000} + transfer_time(Bytes{bytes}, BytesPerSecond{25'000'000'000}));
  }
}

// One pass along a chain of n ranks, in ps.
double along_chain(double n, double alpha, double transfer) {
  const double best_chunk = n > 2 ? std::sqrt(transfer * alpha / (n - 2)) : transfer;  // in ps of link time
  return best_chunk >= transfer ? (n - 1) * (alpha + transfer)
                                : (n - 2) * alpha + transfer + 2 * std::sqrt((n - 2) * alpha * transfer);
}

TEST_CASE("a bucket that one rank holds is one pass along the chain, what each holds one after the other n passes") {
  for (const int ranks : kRanks) {
    for (const AlphaBeta link : kLinks) {
      const test::Star star(ranks, 1, Time{link.alpha_ps}, BytesPerSecond{link.bandwidth});
      for (const std::int64_t bytes : kSizes) {
        const double alpha = static_cast<double>(link.alpha_ps), n = ranks;
        const double transfer = static_cast<double>(bytes) / static_cast<double>(link.bandwidth) * 1e12;
        const auto takes = [&](Collective kind) {
          return static_cast<double>(unshared_time(ideal(kind, "chain", ranks, bytes, star), star.links()).value);
        };
        CAPTURE(ranks);
        CAPTURE(bytes);
        const auto near = [](double ours, double expected) { return std::abs(ours - expected) <= 3 + expected * 1e-9; };
        REQUIRE(near(takes(Collective::reduce_scatter), along_chain(n, alpha, transfer)));
        REQUIRE(near(takes(Collective::all_gather), n * along_chain(n, alpha, transfer / n)));
      }
    }
  }
}

// Two nodes of four at α and B alike but for NICs of twice the α: of the six hops that chunks wait for one is between
// nodes, 5 α + 2 α = 7 α.
TEST_CASE("a chain of unlike hops waits for the sum of them") {
  const test::Star near(8, 8, Time{1'000'000}, BytesPerSecond{50'000'000'000});
  const test::Star apart(8, 4, Time{1'000'000}, BytesPerSecond{50'000'000'000});
  std::vector<hardware::DeviceId> group(8);
  std::iota(group.begin(), group.end(), 0);
  Tuning tuning;
  tuning.ring.simple.network_hop = Time{1'000'000};
  const CollectiveCall call{Collective::broadcast, Bytes{50'000'000}, group, "ring", "simple"};  // 1 ms over a link
  const auto takes = [&](const test::Star& on) {
    return static_cast<double>(unshared_time(plan_collective(call, on, tuning), on.links()).value);
  };
  CHECK(takes(near) == doctest::Approx(6e6 + 1e9 + 2 * std::sqrt(6e6 * 1e9)).epsilon(1e-9));
  CHECK(takes(apart) == doctest::Approx(7e6 + 1e9 + 2 * std::sqrt(7e6 * 1e9)).epsilon(1e-9));
}

TEST_CASE(
    "ring broadcast is (n-2) alpha + S/B + 2 sqrt((n-2) alpha S/B), and (n-1)(alpha + S/B) when one chunk is best") {
  for (const int ranks : kRanks) {
    for (const AlphaBeta link : kLinks) {
      const test::Star star(ranks, ranks, Time{link.alpha_ps}, BytesPerSecond{link.bandwidth});
      for (const std::int64_t bytes : kSizes) {
        const double alpha = static_cast<double>(link.alpha_ps), n = ranks;
        const double transfer = static_cast<double>(bytes) / static_cast<double>(link.bandwidth) * 1e12;
        const double expected = along_chain(n, alpha, transfer);
        const auto ours = unshared_time(ideal(Collective::broadcast, "ring", ranks, bytes, star), star.links());
        CAPTURE(ranks);
        CAPTURE(bytes);
        REQUIRE(std::abs(static_cast<double>(ours.value) - expected) <= 2.0 + expected * 1e-12);
      }
    }
  }
}

TEST_CASE("two levels are the sum of their parts") {
  // 4 domains of 4 on a star: RS_4(S) + AR_4(S/4) on four rails + AG_4(S).
  const std::int64_t alpha = 1'000'000, bandwidth = 16'000'000'000, bytes = 16'000'000;
  const test::Star star(16, 4, Time{alpha}, BytesPerSecond{bandwidth});
  const std::int64_t whole = 1'000'000'000;  // S/B: 1 ms in ps
  CHECK(unshared_time(ideal(Collective::all_reduce, "hierarchical", 16, bytes, star), star.links()) ==
        Time{3 * alpha + whole * 3 / 4 + 6 * alpha + whole * 6 / 16 + 3 * alpha + whole * 3 / 4});
  CHECK(unshared_time(ideal(Collective::all_gather, "hierarchical", 16, bytes, star), star.links()) ==
        Time{3 * alpha + whole * 3 / 16 + 3 * alpha + whole * 3 / 4});
  // Leaders: chains of three hops in chunks (2α + T + 2√(2αT)), a ring of four with all of S, and back.
  const double chain = 2e6 + 1e9 + 2 * std::sqrt(2 * 1e6 * 1e9);
  const double leaders = 6e6 + 1.5e9;
  const auto ours = unshared_time(ideal(Collective::all_reduce, "two_level", 16, bytes, star), star.links());
  CHECK(static_cast<double>(ours.value) == doctest::Approx(2 * chain + leaders).epsilon(1e-9));
}

}  // namespace orrery::network::alpha_beta_test
