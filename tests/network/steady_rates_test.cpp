// Rates of transfers that are all active at once, against the solver for those that come and go.
#include <doctest/doctest.h>

#include <random>

#include "orrery/network/flow.hpp"

namespace orrery::network::steady_rates_test {

TEST_CASE("steady rates are those of transfers that enter MaxMin at once, to the bit, and so is what limits each") {
  std::mt19937_64 random(11);
  const auto between = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int round = 0; round < 300; ++round) {
    std::vector<hardware::Link> links(static_cast<std::size_t>(between(1, 60)),
                                      {{50'000'000'000}, Time{}, hardware::LinkLevel::nic});
    for (hardware::Link& link : links)
      if (between(0, 2) == 0) link.bandwidth = {between(1, 1'000'000'007)};
    std::vector<std::vector<LinkUse>> uses(static_cast<std::size_t>(between(1, 120)));
    std::vector<Transfer> transfers;
    for (std::vector<LinkUse>& of : uses) {
      for (int link = between(0, 9); link < static_cast<int>(links.size()); link += between(1, 20))
        of.push_back({link, between(1, 3)});
      transfers.push_back({Bytes{1}, of, Time{}, {between(0, 3) == 0 ? between(1, 900'000'000) : 0}, between(1, 3)});
    }
    std::vector<BytesPerSecond> capacities;
    for (const hardware::Link& link : links) capacities.push_back(link.bandwidth);
    MaxMin together(capacities);
    std::vector<MaxMin::Id> ids;
    for (const Transfer& t : transfers) ids.push_back(together.add(t.uses, t.weight, t.rate_cap));
    together.solve();
    std::vector<std::int32_t> limits;
    const std::vector<double> rates = steady_rates(links, transfers, &limits);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      REQUIRE(rates[i] == together.rate(ids[i]));
      REQUIRE(limits[i] == together.bottleneck(ids[i]));
    }
  }
}

}  // namespace orrery::network::steady_rates_test
