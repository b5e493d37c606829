#include "orrery/network/traffic.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "orrery/core/error.hpp"

namespace orrery::network {
namespace {

// What must leave and enter the GPUs of n in all: a switch that adds takes S of each, one that copies gives S to each.
std::pair<Bytes, Bytes> least_traffic(Collective kind, Bytes size, std::int64_t n, bool switches_add) {
  const Bytes others = size * (n - 1);
  switch (kind) {
    case Collective::all_reduce:
      return switches_add ? std::pair{size * n, size * n} : std::pair{others * 2, others * 2};
    case Collective::all_gather:
    case Collective::broadcast:
      return {switches_add ? size : others, others};
    case Collective::reduce_scatter:
      return {others, switches_add ? size : others};
    case Collective::all_to_all:
    case Collective::dispatch:
      return {others, others};
    case Collective::send_receive:
      return {size, size};
  }
  internal_error("unknown collective");
}

}  // namespace

Traffic traffic_of(const CollectiveCall& call, const CollectivePlan& plan, const hardware::Topology& topology) {
  Traffic traffic;
  if (plan.phases.empty()) return traffic;
  traffic.switches_add = plan.algorithm == "nvls" || plan.algorithm == "nvls_tree" || plan.algorithm == "collnet";
  std::tie(traffic.must_send, traffic.must_receive) =
      least_traffic(call.kind, call.bytes, static_cast<std::int64_t>(call.group.size()), traffic.switches_add);
  const hardware::DeviceId devices = topology.devices();
  for (const Phase& phase : plan.phases) {
    std::int64_t out = 0, in = 0;
    Int128 slowest = 0;  // ps · divisor
    for (const LinkUse use : phase.links) {
      const hardware::Link& link = topology.links()[static_cast<std::size_t>(use.link)];
      out += link.from < devices ? use.multiplicity : 0;
      in += link.to < devices ? use.multiplicity : 0;
      slowest = std::max(slowest,
                         Int128{phase.bytes.value} * use.multiplicity * kPicosecondsPerSecond / link.bandwidth.value);
    }
    const auto moved = [&](std::int64_t multiplicity) {
      const Int128 amount = Int128{phase.bytes.value} * multiplicity;
      return Bytes{checked_narrow((amount + phase.divisor - 1) / phase.divisor)};
    };
    traffic.sent += moved(out);
    traffic.received += moved(in);
    traffic.wire += Time{checked_narrow(slowest / phase.divisor)};
  }
  return traffic;
}

}  // namespace orrery::network
