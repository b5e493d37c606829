// The network at work: links, and the transfers in flight on them, sharing max-min fairly. Driven by the event engine:
//
//   FlowNetwork network(topology.links());
//   network.start(now, {bytes, uses, ...});                   // any number at one instant: they are solved together
//   while (auto t = network.next_event()) {                   // a completion, or a transfer done with its latency
//     network.advance(*t, finished);                          // tags of the transfers that ended, ascending
//   }
//
// A transfer first pays its latency without using bandwidth, then shares links until its bytes are done. One that never
// had to share takes exactly latency + ⌈bytes · 10¹² / rate⌉. Otherwise its rate changes at the events of others, and
// its end is rounded up to a picosecond once, whenever it is predicted anew.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <span>
#include <vector>

#include "orrery/core/units.hpp"
#include "orrery/hardware/topology.hpp"
#include "orrery/network/completion_heap.hpp"
#include "orrery/network/max_min.hpp"
#include "orrery/network/transfer.hpp"

namespace orrery::network {

using FlowId = MaxMin::Id;

class FlowNetwork {
 public:
  explicit FlowNetwork(std::span<const hardware::Link> links);

  // Transfers may start at any time from the last advance() up to next_event(). The id is valid until the transfer
  // ends.
  FlowId start(Time now, const Transfer& transfer);
  // The time of the next event, if anything is in flight. Solves what changed since.
  std::optional<Time> next_event();
  // Goes to a time not beyond next_event() and appends the tags of what ends there, in ascending order.
  void advance(Time to, std::vector<std::int64_t>& finished);

  // From now on the link has this bandwidth, no more than at first; 0: what crosses it stands.
  void change_bandwidth(Time now, hardware::LinkId link, BytesPerSecond bandwidth);

  std::size_t in_flight() const { return in_flight_; }
  // Bytes per second now; 0 while it pays its latency. Valid after next_event().
  double rate(FlowId id) const { return live(id).rate; }
  // The link that limits the transfer now, or MaxMin::kNoLink. Valid after next_event().
  std::int32_t bottleneck(FlowId id) const { return rates_.bottleneck(id); }
  // True while the transfer has run all its life as fast as if alone.
  bool unshared(FlowId id) const { return live(id).unshared; }
  // From now on notes what sharing costs each transfer, and where `rates` is given every change of a rate.
  void observe(std::vector<RateChange>* rates) {
    observe_ = true;
    rate_log_ = rates;
  }
  // Of the transfers that ended with the last advance() and had to share, in no stated order.
  std::span<const Waited> waited() const { return waited_; }
  // Bytes that all finished transfers moved over a link.
  Bytes carried(hardware::LinkId link) const { return carried_[static_cast<std::size_t>(link)]; }

 private:
  struct Live {            // what a change of rate touches
    double remaining = 0;  // bytes left at `since`
    double rate = 0;       // from `since` on
    Time since{};
    bool unshared = true;
  };
  struct Order {
    Bytes bytes{};
    std::int32_t divisor = 1;
    Time activation{};
    Time solo{};  // duration if it never shares
    std::int64_t tag = 0;
  };
  struct Activation {
    Time at;
    FlowId id;
    bool operator>(const Activation& other) const { return at != other.at ? at > other.at : id > other.id; }
  };

  Live& live(FlowId id) { return live_[static_cast<std::size_t>(id)]; }
  const Live& live(FlowId id) const { return live_[static_cast<std::size_t>(id)]; }
  void come_to(Time now);
  void update();
  Time predicted_end(FlowId id, double rate);
  void finish(FlowId id, std::vector<std::int64_t>& finished);

  std::vector<hardware::Link> links_;
  MaxMin rates_;
  std::vector<Live> live_;  // by FlowId, as is
  std::vector<Order> orders_;
  CompletionHeap completions_;
  std::priority_queue<Activation, std::vector<Activation>, std::greater<>> activations_;
  std::vector<Bytes> carried_;
  Time now_{};
  std::size_t in_flight_ = 0;
  bool changed_ = false;
  struct Slowest {
    double rate = std::numeric_limits<double>::infinity();  // none yet
    std::int32_t link = MaxMin::kNoLink;
  };
  void note_rate(FlowId id, double rate);
  bool observe_ = false;
  std::vector<Slowest> slowest_;  // by FlowId
  std::vector<Waited> waited_;
  std::vector<RateChange>* rate_log_ = nullptr;
};

// Max-min rates, in bytes per second, of transfers that are all active at once (network.mode `steady`); and the link
// that limits each (MaxMin::kNoLink: its cap).
std::vector<double> steady_rates(std::span<const hardware::Link> links, std::span<const Transfer> transfers,
                                 std::vector<std::int32_t>* bottlenecks = nullptr);

}  // namespace orrery::network
