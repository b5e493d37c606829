// What moves over the network as one: a message, or one phase of a collective.
#pragma once
#include <cstdint>
#include <span>

#include "orrery/core/units.hpp"
#include "orrery/hardware/topology.hpp"
#include "orrery/network/link_use.hpp"

namespace orrery::network {

struct Transfer {
  Bytes bytes{};                  // per unit of multiplicity, times divisor
  std::span<const LinkUse> uses;  // each link once; empty = the cap alone limits it
  Time latency{};
  BytesPerSecond rate_cap{};  // 0 = none
  std::int32_t weight = 1;    // its share relative to others
  std::int64_t tag = 0;       // the caller's name for it
  std::int32_t divisor = 1;   // S/n bytes are bytes S, divisor n
};

// What sharing cost a transfer: the time beyond what it takes alone, and the link that held it to its lowest rate.
struct Waited {
  std::int64_t tag = 0;
  Time lost{};
  hardware::LinkId link = 0;
};
// A transfer moves at another rate from now on (bytes per second; 0 = it stands, or has ended).
struct RateChange {
  Time at{};
  std::int64_t tag = 0;
  double rate = 0;
  bool ended = false;
};

// Duration of a transfer, without its latency, that shares nothing: the slowest of its cap and links, rounded up.
Time unshared_duration(const Transfer& transfer, std::span<const hardware::Link> links);

}  // namespace orrery::network
