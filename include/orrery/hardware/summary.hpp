// What a network consists of, in numbers.
#pragma once
#include <cstdint>

#include "orrery/hardware/topology.hpp"

namespace orrery::hardware {

struct SwitchCounts {
  int nics = 0;
  int scale_up = 0;  // one per domain: the planes of an NVSwitch system count as one
  int leaf = 0;      // what NICs are plugged into; the routers of a torus or dragonfly
  int spine = 0;
  int core = 0;
};
SwitchCounts count_switches(const Topology& topology);

struct TopologySummary {
  int devices = 0;
  int nodes = 0;
  SwitchCounts switches;
  std::int64_t cables = 0;               // two links each; PCIe included
  BytesPerSecond bisection_bandwidth{};  // bandwidth_across the middle
  int diameter = 0;  // most links on a route: over all pairs to 512 devices, beyond from the first and the last device
};
TopologySummary summarize(const Topology& topology);

// The largest flow (minimum cut) from devices [0, half) to the rest, one direction, over any path. Seconds on 10 000
// GPUs.
BytesPerSecond bandwidth_across(const Topology& topology, int half);

}  // namespace orrery::hardware
