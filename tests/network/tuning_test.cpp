// Constants of calls among unlike GPUs and NICs.
#include "orrery/network/tuning.hpp"

#include <doctest/doctest.h>

namespace orrery::network::tuning_test {

namespace {

constexpr Time us(std::int64_t microseconds) {
  return {microseconds * 1'000'000};
}

}  // namespace

TEST_CASE("among unlike tunings each constant is the slower, and what one cannot do none does") {
  Tuning fast, slow;
  fast.generation = Generation::hopper, slow.generation = Generation::ampere;
  fast.in_switch_reduction = true, slow.in_switch_reduction = false;
  fast.low_latency_until = {1 << 20};
  fast.ring.simple = {.base = us(8),
                      .network_hop = us(3),
                      .scale_up_efficiency = 0.8,
                      .network_efficiency = 0.9,
                      .network_pipelining = 0.5,
                      .own_rate = {300}};
  slow.ring.simple = {.base = us(5),
                      .network_hop = us(4),
                      .scale_up_efficiency = 0.9,
                      .network_efficiency = 0.2,
                      .network_pipelining = 0.7,
                      .own_rate = {400}};
  slow.pat.ll.message = us(2);
  const Tuning both = slowest_of({std::make_shared<const Tuning>(fast), std::make_shared<const Tuning>(slow)});
  CHECK(both.generation == Generation::ampere);
  CHECK_FALSE(both.in_switch_reduction);
  CHECK(both.ll128);
  CHECK(both.low_latency_until.value == 1 << 20);
  CHECK(both.ring.simple.base == us(8));
  CHECK(both.ring.simple.network_hop == us(4));
  CHECK(both.ring.simple.scale_up_efficiency == 0.8);
  CHECK(both.ring.simple.network_efficiency == 0.2);
  CHECK(both.ring.simple.network_pipelining == 0.7);
  CHECK(both.ring.simple.own_rate.value == 300);
  CHECK(both.pat.ll.message == us(2));
  const Tuning turned = slowest_of({std::make_shared<const Tuning>(slow), std::make_shared<const Tuning>(fast)});
  CHECK(turned == both);
  slow.ring.simple.own_rate = {};  // takes no time there
  CHECK(slowest_of({std::make_shared<const Tuning>(slow), std::make_shared<const Tuning>(fast)})
            .ring.simple.own_rate.value == 300);
}

}  // namespace orrery::network::tuning_test
