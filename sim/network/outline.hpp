// A collective call before its size and protocol are known: links, multiplicities and steps of its phases. All that
// moves is in proportion to S, so one outline of an algorithm gives its time at any size with any protocol.
#pragma once
#include <vector>

#include "group.hpp"
#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::network {

// What one phase moves and how often it waits for a hop.
struct PhaseShape {
  Bytes bytes{};  // for S = 1
  std::int64_t divisor = 1;
  std::int64_t scale_up_steps = 0;
  std::int64_t network_steps = 0;
  // ≥ 0: one pass over this many hops and one more, in chunks of the best size c = √(S·Σα·B)/steps (or whole, if c >
  // S).
  std::int64_t chunk_steps = -1;
  std::int64_t messages = 0;  // of each rank, beyond the first
  double own = 0;             // of S: the tokens of a rank, each once (ProtocolTuning::own_rate)
  std::int64_t turns = 1;     // such passes one after the other, each of its part of S
  double rests = 0;           // of the time that its bytes take, a link waits while others are passed
  friend bool operator==(const PhaseShape&, const PhaseShape&) = default;
};

class Outline {
 public:
  explicit Outline(const Group& group) : group_(&group) {}
  void add(HopLoads& loads, const PhaseShape& shape);
  // The phases of a call of S bytes; the first carries the base latency of the call.
  std::vector<Phase> phases(Bytes size, const ProtocolTuning& tuning) const;
  // Unshared time of these.
  Time time(Bytes size, const ProtocolTuning& tuning) const;
  // Whether the phases of every size are those of the other but for which links they are on.
  bool like(const Outline& other) const;
  const std::vector<LinkUse>& links(std::size_t phase) const { return parts_[phase].links; }

 private:
  // Links of one bandwidth and multiplicity are one to every formula here.
  struct Rate {
    BytesPerSecond bandwidth{};
    std::int32_t multiplicity = 1;
    bool scale_up = false, stands = false;
    friend auto operator<=>(const Rate&, const Rate&) = default;
  };
  struct Part {
    std::vector<LinkUse> links;
    std::vector<Rate> rates;  // ascending, each once
    PhaseShape shape;
    bool local = false;
    Time scale_up_hop{}, network_hop{};   // of the routes
    std::int64_t sent = 0, received = 0;  // by all GPUs, of what crosses a link once
    bool like(const Part& other) const;
  };
  Phase figures(const Part& part, Bytes size, const ProtocolTuning& tuning) const;  // without links
  BytesPerSecond rate_cap(const Part& part, const ProtocolTuning& tuning) const;

  const Group* group_;
  std::vector<Part> parts_;
};

}  // namespace orrery::network
