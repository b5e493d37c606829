// Collective algorithms: a call on a group of devices becomes phases; a phase is one transfer with one rate and an
// integer multiplicity on each directed link it uses, so a ring over n ranks costs O(n) to set up, not O(n²).
//
// Time of a phase that shares nothing: latency + ⌈bytes / divisor · 10¹² / rate⌉, where rate = min(rate_cap, min over
// its links of bandwidth / multiplicity). Latency holds α per step and the pipelining term c·√S; see tuning.hpp.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/collective.hpp"
#include "orrery/core/units.hpp"
#include "orrery/hardware/topology.hpp"
#include "orrery/network/link_use.hpp"
#include "orrery/network/transfer.hpp"

namespace orrery::network {

struct Phase {
  Time latency{};
  Bytes bytes{};               // per unit of multiplicity, times divisor
  BytesPerSecond rate_cap{};   // 0 = only the links limit it
  std::vector<LinkUse> links;  // sorted by link, each once
  std::int32_t divisor = 1;    // S/n bytes are bytes S, divisor n: no rounding to whole bytes
  friend bool operator==(const Phase&, const Phase&) = default;
};

struct CollectivePlan {
  std::string algorithm;  // ring, tree, nvls, …
  std::string protocol;   // ll, ll128, simple, ideal
  std::vector<Phase> phases;
};

// The phase as a transfer for FlowNetwork; the phase must outlive the call it is used in.
Transfer transfer_of(const Phase& phase, std::int64_t tag);

// Unshared time of a phase and of a plan.
Time unshared_time(const Phase& phase, std::span<const hardware::Link> links);
Time unshared_time(const CollectivePlan& plan, std::span<const hardware::Link> links);

// Time of a phase that moves at a given rate in bytes per second (see steady_rates), rounded up; never below its
// unshared_time, `alone`.
Time time_at_rate(const Phase& phase, double rate, Time alone);

struct Tuning;  // constants per GPU generation, NIC and library generation (tuning.hpp)

struct CollectiveCall {
  Collective kind = Collective::all_reduce;
  Bytes bytes{};                              // S of core/collective.hpp
  std::span<const hardware::DeviceId> group;  // send_receive: {from, to}
  std::string algorithm = {};                 // empty = chosen by size, ranks and topology
  std::string protocol = {};                  // empty = chosen
  hardware::DeviceId root = -1;               // broadcast; -1 = the first of the group
  ChosenExperts chosen = {};                  // dispatch
  UnlikeRows rows = {};                       // all_to_all, dispatch
  // GPUs use NICs behind their own PCIe switch alone (NCCL before 2.12: without PXN no GPU sends by another's NIC).
  bool near_nics = false;
};
// Of two GPUs of a node, as near_nics asks: DGX-1, DGX-2, DGX A100 and HGX have two a PCIe switch.
inline bool behind_one_switch(hardware::DeviceId a, hardware::DeviceId b) {
  constexpr hardware::DeviceId kGpusOfSwitch = 2;
  return a / kGpusOfSwitch == b / kGpusOfSwitch;
}
// A call named by itself (algorithm, protocol) that cannot be served throws std::invalid_argument; ask `unsupported`
// first.
CollectivePlan plan_collective(const CollectiveCall& call, const hardware::Topology& topology, const Tuning& tuning);
// Why the call cannot be planned (unknown algorithm, not for this kind, group too small …), or empty.
std::string unsupported(const CollectiveCall& call, const hardware::Topology& topology, const Tuning& tuning);
// Why no call can be by this algorithm on this hardware: it has no switches that add. Else empty.
std::string lacks_switches(std::string_view algorithm, const Tuning& tuning);

std::vector<std::string> algorithm_names();
// A number for each of them, and back; 0 is none.
std::uint8_t algorithm_number(std::string_view name);
std::string_view algorithm_name(std::uint8_t number);
std::vector<std::string> protocol_names();

}  // namespace orrery::network
