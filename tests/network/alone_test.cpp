// When a transfer runs as fast as if it were alone, whatever its weight and however often it uses a link.
#include <doctest/doctest.h>

#include <vector>

#include "orrery/network/max_min.hpp"

namespace orrery::network::alone_test {

TEST_CASE("alone, shared, capped: who is as fast as by himself") {
  const std::vector<BytesPerSecond> links{{12'000}, {5'000}};
  for (const std::int32_t weight : {1, 2, 3})
    for (const std::int32_t multiplicity : {1, 2}) {
      CAPTURE(weight);
      CAPTURE(multiplicity);
      MaxMin network(links);
      const std::vector<LinkUse> uses{{0, multiplicity}}, both{{0, multiplicity}, {1, 1}};
      const auto one = network.add(uses, weight, {});
      network.solve();
      CHECK(network.alone(one));
      CHECK(network.rate(one) == doctest::Approx(12'000.0 / multiplicity));
      const auto two = network.add(uses, weight, {});
      network.solve();
      CHECK(!network.alone(one));
      CHECK(!network.alone(two));
      CHECK(network.rate(two) == doctest::Approx(6'000.0 / multiplicity));
      network.remove(one);
      network.solve();
      CHECK(network.alone(two));
      network.remove(two);
      // A cap below its half: the other takes the rest, and only the capped one is as fast as it can be.
      const auto capped = network.add(uses, weight, {1'000}), rest = network.add(uses, weight, {});
      network.solve();
      CHECK(network.alone(capped));
      CHECK(network.rate(capped) == doctest::Approx(1'000));
      CHECK(!network.alone(rest));
      network.remove(capped);
      network.remove(rest);
      const auto slow = network.add(both, weight, {});  // the second link holds it
      network.solve();
      CHECK(network.alone(slow));
      CHECK(network.rate(slow) == doctest::Approx(5'000));
    }
}

}  // namespace orrery::network::alone_test
