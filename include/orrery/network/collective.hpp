// Collective algorithms: a call on a group of devices becomes phases; a phase is one transfer with one rate and an integer
// multiplicity on each directed link it uses, so a ring over n ranks costs O(n) to set up, not O(n²).
//
// Time of a phase that shares nothing: latency + ⌈bytes · 10¹² / rate⌉, where rate = min(rate_cap, min over its links of
// bandwidth / multiplicity). Latency holds α per step and the pipelining term c·√S; see tuning.hpp.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "orrery/core/collective.hpp"
#include "orrery/core/units.hpp"
#include "orrery/hardware/topology.hpp"
#include "orrery/network/link_use.hpp"

namespace orrery::network {

struct Phase {
  Time latency{};
  Bytes bytes{};             // per unit of multiplicity
  BytesPerSecond rate_cap{};  // 0 = only the links limit it
  std::vector<LinkUse> links;  // sorted by link, each once
};

struct CollectivePlan {
  std::string algorithm;  // ring, tree, nvls, …
  std::string protocol;   // ll, ll128, simple, ideal
  std::vector<Phase> phases;
};

// Unshared time of a phase and of a plan.
Time unshared_time(const Phase& phase, std::span<const hardware::Link> links);
Time unshared_time(const CollectivePlan& plan, std::span<const hardware::Link> links);

struct Tuning;  // constants per GPU generation, NIC and library generation (tuning.hpp)

struct CollectiveCall {
  Collective kind = Collective::all_reduce;
  Bytes bytes{};                             // S of core/collective.hpp
  std::span<const hardware::DeviceId> group;  // send_receive: {from, to}
  std::string algorithm;                     // empty = chosen by size, ranks and topology
  std::string protocol;                      // empty = chosen
};
CollectivePlan plan_collective(const CollectiveCall& call, const hardware::Topology& topology, const Tuning& tuning);

}  // namespace orrery::network
