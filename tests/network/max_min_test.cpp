#include "orrery/network/max_min.hpp"

#include <doctest/doctest.h>

#include <boost/multiprecision/cpp_int.hpp>
#include <random>

namespace orrery::network::max_min_test {

namespace {

using Rational = boost::multiprecision::cpp_rational;

struct Wanted {
  std::vector<LinkUse> uses;
  std::int32_t weight;
  std::int64_t cap;
  MaxMin::Id id = -1;
};

// Progressive filling as the textbook has it, in exact fractions, everything scanned each round.
std::vector<Rational> exact_rates(const std::vector<BytesPerSecond>& capacities, const std::vector<Wanted>& flows) {
  std::vector<Rational> rates(flows.size());
  std::vector<bool> fixed(flows.size());
  for (std::size_t round = 0; round < flows.size(); ++round) {
    std::vector<Rational> left(capacities.begin() == capacities.end() ? 0 : capacities.size());
    std::vector<std::int64_t> open(capacities.size());
    for (std::size_t l = 0; l < capacities.size(); ++l) left[l] = capacities[l].value;
    for (std::size_t f = 0; f < flows.size(); ++f) {
      for (const LinkUse use : flows[f].uses) {
        const auto l = static_cast<std::size_t>(use.link);
        if (fixed[f]) {
          left[l] -= use.multiplicity * rates[f];
        } else {
          open[l] += std::int64_t{use.multiplicity} * flows[f].weight;
        }
      }
    }
    const auto level_of = [&](std::size_t f) {
      Rational level = flows[f].cap > 0 ? Rational(flows[f].cap, flows[f].weight) : Rational(-1);
      for (const LinkUse use : flows[f].uses) {
        const auto l = static_cast<std::size_t>(use.link);
        const Rational share = left[l] / open[l];
        if (level < 0 || share < level) level = share;
      }
      return level;
    };
    std::size_t first = flows.size();
    Rational lowest;
    for (std::size_t f = 0; f < flows.size(); ++f) {
      if (fixed[f]) continue;
      const Rational level = level_of(f);
      if (first == flows.size() || level < lowest) {
        first = f;
        lowest = level;
      }
    }
    if (first == flows.size()) break;
    rates[first] = lowest * flows[first].weight;
    fixed[first] = true;
  }
  return rates;
}

Wanted random_flow(std::mt19937_64& random, std::int32_t links) {
  Wanted flow{{}, static_cast<std::int32_t>(1 + random() % 4), 0};
  if (random() % 4 == 0) flow.cap = static_cast<std::int64_t>(1 + random() % 2'000'000'000);
  const auto length = 1 + random() % 4;
  for (std::int32_t link = 0; link < links; ++link) {
    if (random() % static_cast<std::uint64_t>(links) < length) {
      flow.uses.push_back({link, static_cast<std::int32_t>(1 + random() % 4)});
    }
  }
  if (flow.uses.empty())
    flow.uses.push_back({static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(links)), 1});
  return flow;
}

MaxMin::Id add(MaxMin& solver, const std::vector<LinkUse>& uses, std::int32_t weight = 1, std::int64_t cap = 0) {
  const MaxMin::Id id = solver.create(uses, weight, {cap});
  solver.enter(id);
  return id;
}

void compare(const MaxMin& solver, const std::vector<BytesPerSecond>& capacities, const std::vector<Wanted>& flows) {
  const auto exact = exact_rates(capacities, flows);
  for (std::size_t f = 0; f < flows.size(); ++f) {
    const double expected = exact[f].convert_to<double>();
    REQUIRE(std::abs(solver.rate(flows[f].id) - expected) <= 1e-9 * expected);
  }
  REQUIRE(solver.certificate_holds(1e-9));
}

}  // namespace

TEST_CASE("10 000 random systems, changed step by step, agree with exact fractions to 1e-9") {
  std::mt19937_64 random(1);
  for (int system = 0; system < 10'000; ++system) {
    const auto links = static_cast<std::int32_t>(1 + random() % 8);
    std::vector<BytesPerSecond> capacities;
    for (std::int32_t l = 0; l < links; ++l) {
      // Few distinct values half of the time, so that ties of levels are common.
      capacities.push_back(
          {random() % 2 == 0 ? 1'000'000'000 : static_cast<std::int64_t>(1 + random() % 50'000'000'000)});
    }
    MaxMin solver(capacities);
    if (system % 2 == 1) solver.set_threshold_limit(0);  // always by repair
    std::vector<Wanted> flows;
    for (int change = 0; change < 4; ++change) {
      for (auto starts = random() % 5; starts > 0; --starts) {
        flows.push_back(random_flow(random, links));
        flows.back().id = add(solver, flows.back().uses, flows.back().weight, flows.back().cap);
      }
      for (auto ends = random() % 3; ends > 0 && !flows.empty(); --ends) {
        const auto gone = random() % flows.size();
        solver.remove(flows[gone].id);
        flows.erase(flows.begin() + static_cast<std::ptrdiff_t>(gone));
      }
      solver.solve();
    }
    compare(solver, capacities, flows);
  }
}

TEST_CASE("larger systems agree after each of many changes") {
  std::mt19937_64 random(2);
  for (int system = 0; system < 20; ++system) {
    std::vector<BytesPerSecond> capacities(12, BytesPerSecond{50'000'000'000});
    MaxMin solver(capacities);
    if (system % 2 == 1) solver.set_threshold_limit(static_cast<std::size_t>(system) / 4);
    std::vector<Wanted> flows;
    for (int change = 0; change < 40; ++change) {
      if (flows.size() < 20 || random() % 2 == 0) {
        flows.push_back(random_flow(random, 12));
        flows.back().id = add(solver, flows.back().uses, flows.back().weight, flows.back().cap);
      } else {
        const auto gone = random() % flows.size();
        solver.remove(flows[gone].id);
        flows.erase(flows.begin() + static_cast<std::ptrdiff_t>(gone));
      }
      solver.solve();
      if (change % 8 == 7) compare(solver, capacities, flows);
    }
  }
}

TEST_CASE("a change touches only transfers at or above its level") {
  // Link 0 holds ten transfers at level 1; one of them also crosses link 1, where another has the remaining 9.
  const std::vector<BytesPerSecond> capacities{{10}, {10}};
  MaxMin solver(capacities);
  const std::vector<LinkUse> narrow{{0, 1}}, both{{0, 1}, {1, 1}}, wide{{1, 1}};
  for (int i = 0; i < 9; ++i) add(solver, narrow);
  add(solver, both);
  const auto first = add(solver, wide);
  CHECK(solver.solve().size() == 11);
  CHECK(solver.rate(first) == 9.0);
  CHECK(solver.bottleneck(first) == 1);
  // 10 / 3 > 1 bounds the newcomer from below: only it and the wide one are solved, to (10 − 1) / 2.
  const auto second = add(solver, wide);
  CHECK(solver.solve().size() == 2);
  CHECK(solver.rate(second) == 4.5);
  solver.remove(first);
  CHECK(solver.solve().size() == 1);
  CHECK(solver.rate(second) == 9.0);
  CHECK(!solver.alone(second));
}

TEST_CASE("solving by repair and by threshold give the same rates in large coupled systems") {
  std::mt19937_64 random(3);
  const std::vector<BytesPerSecond> capacities(64, BytesPerSecond{50'000'000'000});
  MaxMin repaired(capacities), filled(capacities);
  repaired.set_threshold_limit(0);
  filled.set_threshold_limit(1'000'000);
  std::vector<MaxMin::Id> ids;  // both solvers give the same ids
  for (int change = 0; change < 600; ++change) {
    if (change < 300 || random() % 3 == 0) {
      const Wanted flow = random_flow(random, 64);
      ids.push_back(add(repaired, flow.uses, flow.weight, flow.cap));
      REQUIRE(add(filled, flow.uses, flow.weight, flow.cap) == ids.back());
    } else {
      const auto gone = random() % ids.size();
      repaired.remove(ids[gone]);
      filled.remove(ids[gone]);
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(gone));
    }
    if (change < 300 && change % 50 != 0) continue;
    repaired.solve();
    filled.solve();
    for (const MaxMin::Id id : ids) REQUIRE(std::abs(repaired.rate(id) / filled.rate(id) - 1) < 1e-9);
  }
  CHECK(repaired.certificate_holds(1e-9));
}

// Rates of 50, 50 and 100 are exact: a link of 100 is carried to its last byte and no further.
TEST_CASE("the certificate holds of exact rates without any tolerance, and not where a flow has yet to get its share") {
  MaxMin solver(std::vector<BytesPerSecond>{{100}, {100}});
  add(solver, {{0, 1}}), add(solver, {{0, 1}}), add(solver, {{1, 1}});
  solver.solve();
  CHECK(solver.certificate_holds(0));
  add(solver, {{1, 1}});
  CHECK_FALSE(solver.certificate_holds(1e-9));
  solver.solve();
  CHECK(solver.certificate_holds(0));
}

}  // namespace orrery::network::max_min_test
