// Bytes that calls move, for the books.
#pragma once
#include "orrery/network/collective.hpp"

namespace orrery::network {

// What a call moves, over its whole group (of several calls: the sums). The books hold one against the other.
struct Traffic {
  Bytes sent{}, received{};           // leaves and enters GPUs, as the phases load the links
  Bytes must_send{}, must_receive{};  // what the collective cannot do with less of: 2(n−1)·S of an all_reduce …
  Time wire{};                        // its phases at the full rate of their links, without latency
  bool switches_add = false;          // or copy: less is sent than received, or the other way round
  Traffic& operator+=(const Traffic& other) {
    sent += other.sent;
    received += other.received;
    must_send += other.must_send;
    must_receive += other.must_receive;
    wire += other.wire;
    switches_add = switches_add || other.switches_add;
    return *this;
  }
};
Traffic traffic_of(const CollectiveCall& call, const CollectivePlan& plan, const hardware::Topology& topology);

}  // namespace orrery::network
